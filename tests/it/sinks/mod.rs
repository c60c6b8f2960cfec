//! Events to brokers, with real ones: NATS at `KIRA_TEST_NATS_URL`, RabbitMQ at `KIRA_TEST_AMQP_URL`, Redis at
//! `KIRA_TEST_REDIS_URL`, by default those of this machine. A broker that does not answer is skipped with a message, and is a
//! failure with `KIRA_TEST_SINKS=required`, which `.ci/run sinks` sets.

mod kills;
mod outages;
mod publishing;
mod refusals;
mod support;
