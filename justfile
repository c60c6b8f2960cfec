# `just` lists the recipes. Each calls a step of .ci/run, so that a laptop and CI do the same; without `just`, call .ci/run.

_default:
    @just --list

# Every check that a change must pass
ci:
    .ci/run

# Serve on this machine, from ./data
run:
    cargo run --release

# The tests on SQLite; a filter runs those alone: `just test idempotency`
test filter='':
    {{ if filter == '' { '.ci/run tests_sqlite' } else { 'cargo test --workspace ' + filter } }}

# The tests on PostgreSQL (KIRA_TEST_DATABASE_URL, by default the server on this machine)
test-postgres:
    .ci/run postgres tests_postgres

# Format, contract, clippy, rustdoc
lint:
    .ci/run tools format contract lints default_features documentation

# Licences, duplicates and sources of the dependencies
deny:
    .ci/run tools dependencies

# The chart: rendered objects, policies, alerts
chart:
    .ci/run tools build chart

# Regenerate the OpenAPI document and the tables of the documents
docs:
    UPDATE_DOCS=1 cargo test --test it docs::
    UPDATE_DOCS=1 cargo test --package kira-codegen --test openapi --test reference
    UPDATE_DOCS=1 cargo test --package kira-users --lib config::table

# One bench: load, overload, store_create, worker, telemetry, webhooks, requirements
bench name='load':
    cargo bench --bench {{ name }}
