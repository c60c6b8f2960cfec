//! The rate of each client, shared by replicas: the time at which its allowance is full again, as the generic cell rate
//! algorithm has it.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tracing::instrument;
use uuid::Uuid;

use super::{Engine, Store, StoreError};

/// $1 the name, $2 now, $3 what is taken from now on, $4 the burst from now on.
const TAKE: &str = r#"INSERT INTO "watermarks" ("name", "reached") VALUES ($1, $3) ON CONFLICT ("name") DO UPDATE
    SET "reached" = GREATEST("watermarks"."reached", $2) + (EXCLUDED."reached" - $2)
    WHERE GREATEST("watermarks"."reached", $2) + (EXCLUDED."reached" - $2) <= $4"#;

impl Store {
    /// Takes `span` of a client's time, unless more than `burst` from `now` on would be taken then. Whether it was taken.
    ///
    /// # Errors
    /// `Configuration` on SQLite, which has one process; `Unavailable` without the database.
    #[instrument(skip_all, fields(otel.kind = "client", db.system.name = self.system()))]
    pub async fn take_rate(
        &self,
        client_id: Uuid,
        now: DateTime<Utc>,
        span: TimeDelta,
        burst: TimeDelta,
    ) -> Result<bool, StoreError> {
        if self.engine() == Engine::Sqlite {
            return Err(StoreError::Configuration("shared rates need PostgreSQL".to_owned()));
        }
        let name = format!("rate of {client_id}");
        let values = [name.into(), now.into(), (now + span).into(), (now + burst).into()];
        let take = Statement::from_sql_and_values(DbBackend::Postgres, TAKE, values);
        Ok(self.write().execute_raw(take).await?.rows_affected() > 0)
    }
}
