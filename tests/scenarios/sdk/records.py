"""Reads files of Parquet as anyone would, and prints what is in them: FILE, or ENDPOINT and BUCKET."""

import json
import sys
import tempfile

import duckdb


def files(arguments):
    if len(arguments) == 1:
        return arguments
    import boto3

    endpoint, bucket = arguments
    secret = {"aws_access_key_id": "someone", "aws_secret_access_key": "anything"}
    s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **secret)
    folder = tempfile.mkdtemp()
    found = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for it in page.get("Contents", []):
            name = f"{folder}/{len(found)}.parquet"
            s3.download_file(bucket, it["Key"], name)
            found.append(name)
    return found


paths = files(sys.argv[1:])
records = duckdb.read_parquet(paths)
rows, ids, tokens, cost, organizations = duckdb.sql(
    """SELECT count(*), count(DISTINCT id), sum(input_tokens + output_tokens), sum(cost_nano),
              list(DISTINCT organization) FROM records"""
).fetchall()[0]
teams = duckdb.sql(
    "SELECT tags['team'] AS team, count(*) FROM records WHERE team IS NOT NULL GROUP BY team ORDER BY team"
).fetchall()
charged = duckdb.sql(
    """SELECT sum(it.cost_nano) FROM (
           SELECT unnest(charge.counts) AS it FROM (SELECT unnest(charges) AS charge FROM records))"""
).fetchall()[0][0]
first, last = duckdb.sql("SELECT epoch_ms(min(time)), epoch_ms(max(time)) FROM records").fetchall()[0]
failed = duckdb.sql("SELECT count(*) FROM (SELECT unnest(attempts) FROM records)").fetchall()[0][0]
said = {
    "files": len(paths),
    "rows": rows,
    "ids": ids,
    "tokens": int(tokens),
    "cost_nano": int(cost or 0),
    "organizations": organizations,
    "teams": dict(teams),
    "charged_nano": int(charged or 0),
    "first_ms": first,
    "last_ms": last,
    "failed_attempts": failed,
}
json.dump(said, sys.stdout)
