//! Why a PostgreSQL server cannot be used, for operators. The pool tries again by itself and reports in the end only that no
//! connection became free.

use std::io::ErrorKind;
use std::time::Duration;

use sea_orm::SqlxError;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::timeout;

use super::Store;

/// Why no connection to the database server can be made. Its text has no value of the configuration and none of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectFailure {
    /// DNS knows no address.
    #[error("the host name does not resolve")]
    Name,
    /// Nothing listens at the address and port.
    #[error("the connection is refused")]
    Refused,
    /// No route, or a socket that is not there.
    #[error("the host cannot be reached")]
    Unreachable,
    /// The server rejects the user, the password or the address of the caller.
    #[error("the server rejects the user or the password")]
    Authentication,
    /// The server has no such database.
    #[error("the server has no database of this name")]
    NoDatabase,
    /// The server has no TLS, or a certificate that is not trusted.
    #[error("TLS fails")]
    Tls,
    /// The server has all the connections it allows.
    #[error("the server has no connection left")]
    TooManyConnections,
    /// The server is starting, stopping or recovering.
    #[error("the server is starting or stopping")]
    NotAccepting,
    /// Something else listens at the port.
    #[error("what answers is not a PostgreSQL server")]
    Protocol,
    /// A pooler rejects a parameter that the driver sends at the start of a connection.
    #[error("the pooler rejects a startup parameter; PgBouncer needs ignore_startup_parameters = extra_float_digits")]
    StartupParameter,
    /// The connection ends before the server has answered.
    #[error("the connection is closed without an answer")]
    Closed,
    /// No answer within the limit.
    #[error("no answer in time")]
    Timeout,
    /// Anything else.
    #[error("the server refuses the connection")]
    Other,
}

impl Store {
    /// Makes one connection outside the pool to find out why there is none; `None` where it succeeds within `limit`, and for
    /// SQLite. To be asked after a failure only: each call costs the server a connection.
    pub async fn connect_failure(&self, limit: Duration) -> Option<ConnectFailure> {
        let options: PgConnectOptions = self.connections.renewal.as_ref()?.url().parse().ok()?;
        timeout(limit, connect(options)).await.unwrap_or(Err(ConnectFailure::Timeout)).err()
    }

    /// Why the database does not answer, as a sentence for operators.
    pub async fn unavailability(&self, limit: Duration) -> String {
        match self.connect_failure(limit).await {
            Some(failure) => format!("the database does not answer: {failure}"),
            None => "the database does not answer".to_owned(),
        }
    }
}

async fn connect(options: PgConnectOptions) -> Result<(), ConnectFailure> {
    // The driver reports this as an I/O error without a kind.
    if options.get_socket().is_none() && !options.get_host().starts_with('/') {
        let address = (options.get_host(), options.get_port());
        let _addresses = tokio::net::lookup_host(address).await.map_err(|_| ConnectFailure::Name)?;
    }
    let connection = options.disable_statement_logging().connect().await.map_err(|error| classify(&error))?;
    // It was only a question; how the connection ends changes nothing.
    let _ = connection.close().await;
    Ok(())
}

fn classify(error: &SqlxError) -> ConnectFailure {
    match error {
        SqlxError::Io(error) => match error.kind() {
            ErrorKind::ConnectionRefused => ConnectFailure::Refused,
            // What rustls makes of a handshake that fails.
            ErrorKind::InvalidData => ConnectFailure::Tls,
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe => ConnectFailure::Closed,
            ErrorKind::TimedOut => ConnectFailure::Timeout,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NotFound => {
                ConnectFailure::Unreachable
            }
            _ => ConnectFailure::Other,
        },
        SqlxError::Tls(_) => ConnectFailure::Tls,
        SqlxError::Protocol(_) => ConnectFailure::Protocol,
        SqlxError::Database(error) => match error.code().as_deref() {
            Some("3D000") => ConnectFailure::NoDatabase,
            Some(code) if code.starts_with("28") => ConnectFailure::Authentication,
            Some("08P01") => ConnectFailure::StartupParameter,
            Some("53300") => ConnectFailure::TooManyConnections,
            Some(code) if code.starts_with("57P") => ConnectFailure::NotAccepting,
            _ => ConnectFailure::Other,
        },
        _ => ConnectFailure::Other,
    }
}
