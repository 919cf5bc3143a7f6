# The only commands. `just` lists them.

default:
    @just --list

# Everything in one process, for trying it out.
dev *arguments:
    ./dev {{arguments}}

# Every check there is.
test *arguments:
    ./test {{arguments}}

# The quick checks, for while you write.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo test --package tidy

# Refreshes the stored queries, so that a build needs no database.
sqlx:
    control-plane/store/prepare

# Runs the full form of an acceptance line and prints the figure that stands in docs/. Without a name: lists them.
prove *name:
    tests/load/prove {{name}}
