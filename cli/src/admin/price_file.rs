//! Files of prices: TOML with a `[[price]]` for each, or CSV with a line for each, by the same names.
//!
//! A row is read as the arguments of `prices create` are, so that both know the same words and bounds. Knows nothing of
//! what is done with them.

use std::path::Path;

use clap::{Args as _, Command, FromArgMatches as _};

use crate::{
    admin::{new_price::New, text_file},
    failure::Failure,
};

/// A row: names and values.
type Fields = Vec<(String, String)>;

/// The prices of a file, each with its id, in their order.
pub fn read(path: &Path) -> Result<Vec<(String, New)>, Failure> {
    let text = text_file::read(path)?;
    let wrong = |why: String| Failure::usage(format!("{}: {why}", path.display()));
    let rows = match path.extension().and_then(|it| it.to_str()) {
        Some("toml") => of_toml(&text),
        Some("csv") => of_csv(&text),
        _ => Err("must be called .toml or .csv".to_owned()),
    };
    let rows = rows.map_err(wrong)?;
    rows.into_iter()
        .enumerate()
        .map(|(at, fields)| price(fields).map_err(|why| wrong(format!("price {}: {why}", at + 1))))
        .collect()
}

fn of_toml(text: &str) -> Result<Vec<Fields>, String> {
    let table: toml::Table = text
        .parse()
        .map_err(|why: toml::de::Error| why.to_string())?;
    let mut rows = Vec::new();
    for (name, value) in table {
        let toml::Value::Array(prices) = value else {
            return Err(format!("`{name}` is not `[[price]]`"));
        };
        if name != "price" {
            return Err(format!("`[[{name}]]` is not `[[price]]`"));
        }
        for price in prices {
            let toml::Value::Table(price) = price else {
                return Err("a price is no table".to_owned());
            };
            let fields = price.into_iter().map(|(name, value)| match value {
                toml::Value::String(text) => Ok((name, text)),
                toml::Value::Integer(number) => Ok((name, number.to_string())),
                toml::Value::Datetime(at) => Ok((name, at.to_string())),
                // A fraction would not be exact.
                _ => Err(format!("`{name}` must stand in quotes, such as \"2.50\"")),
            });
            rows.push(fields.collect::<Result<_, _>>()?);
        }
    }
    Ok(rows)
}

fn of_csv(text: &str) -> Result<Vec<Fields>, String> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let names: Vec<&str> = lines
        .next()
        .unwrap_or("")
        .split(',')
        .map(str::trim)
        .collect();
    let row = |(at, line): (usize, &str)| {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        if cells.len() != names.len() || line.contains('"') {
            let many = names.len();
            return Err(format!("line {} does not have {many} plain cells", at + 2));
        }
        let filled = names.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
        Ok(filled
            .map(|(name, cell)| ((*name).to_owned(), cell.to_owned()))
            .collect())
    };
    lines.enumerate().map(row).collect()
}

fn price(fields: Fields) -> Result<(String, New), String> {
    let mut id = None;
    let mut words = vec!["price".to_owned()];
    for (name, value) in fields {
        if name == "id" {
            id = Some(value);
        } else {
            words.push(format!("--{}={value}", name.replace('_', "-")));
        }
    }
    let id = id.ok_or("has no `id`")?;
    let matches = New::augment_args(Command::new("price").disable_help_flag(true))
        .try_get_matches_from(words);
    let new = matches.and_then(|matches| New::from_arg_matches(&matches));
    let new = new.map_err(|why| {
        let said = why.to_string();
        let first = said.lines().next().unwrap_or_default();
        first.trim_start_matches("error: ").to_owned()
    })?;
    Ok((id, new))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(rows: Result<Vec<Fields>, String>) -> Result<Vec<String>, String> {
        let prices = rows?.into_iter().map(price);
        prices
            .map(|it| it.map(|(id, new)| format!("{id} {new:?}")))
            .collect()
    }

    #[test]
    fn both_kinds_of_files_say_the_same() {
        let toml = r#"
            [[price]]
            id = "own-gpt"
            kind = "openai"
            model = "gpt-4o*"
            tier = "flex"
            above_input_tokens = 200000
            valid_from = 2026-01-01
            input_tokens = "1.25"
            cached_input_tokens = "0.125"
            output_tokens = 10
        "#;
        let csv = "id,kind,model,tier,above_input_tokens,valid_from,input_tokens,cached_input_tokens,output_tokens,images\n\
                   own-gpt,openai,gpt-4o*,flex,200000,2026-01-01,1.25,0.125,10,\n";
        let read = all(of_toml(toml)).unwrap();
        assert_eq!(read.len(), 1);
        assert!(read[0].contains("Amount(1250000000)"), "{}", read[0]);
        assert_eq!(all(of_csv(csv)).unwrap(), read);
    }

    #[test]
    fn what_is_wrong_is_said_by_its_name() {
        for (toml, why) in [
            ("[[price]]\nmodel = 'm'\ninput_tokens = '1'", "id"),
            (
                "[[price]]\nid = 'a'\nmodel = 'm'\ninput_tokens = 1.5",
                "quotes",
            ),
            ("[[price]]\nid = 'a'\nmodel = 'm'\nimput = '1'", "--imput"),
            (
                "[[price]]\nid = 'a'\nmodel = 'm'\ninput_tokens = '-1'",
                "--input-tokens",
            ),
            ("[[prices]]\nid = 'a'", "[[price]]"),
            ("[[price]]\nid = 'a'\ninput_tokens = '1'", "--model"),
        ] {
            let said = all(of_toml(toml)).unwrap_err();
            assert!(
                said.contains(why) || said.contains("not provided"),
                "{toml}: {said}"
            );
        }
        assert!(all(of_csv("id,model\na")).is_err());
        assert!(all(of_csv("id,model\n\"a\",b")).is_err());
    }
}
