//! `webhook listen`: a receiver for development.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::super::Failure;
use super::super::output::{print_line, time};
use super::captured::Captured;
use crate::env::{Env as _, SystemEnv};
use crate::webhook::signature::EndpointSecret;

/// Far above the size of any webhook.
const MOST: usize = 1 << 20;

/// Receives until the process stops.
pub(super) async fn listen(address: SocketAddr, secret: Option<EndpointSecret>) -> Result<(), Failure> {
    let listener = TcpListener::bind(address).await?;
    let verifies = if secret.is_some() { "" } else { "; without the secret, nothing is verified" };
    print_line(format_args!("Listening on http://{}{verifies}", listener.local_addr()?))?;
    let secret = Arc::new(secret);
    loop {
        let (stream, _) = listener.accept().await?;
        let secret = Arc::clone(&secret);
        tokio::spawn(async move {
            let service = service_fn(|request| receive(request, secret.as_ref().as_ref()));
            // A broken connection must not end the listener.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Prints a request; 200 if its signatures are valid or there is no secret to check them, else 401.
async fn receive(
    request: Request<Incoming>,
    secret: Option<&EndpointSecret>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MOST).collect().await else { return Ok(answer(StatusCode::BAD_REQUEST)) };
    let headers = parts.headers.iter().filter_map(|(name, value)| {
        let value = value.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    let captured = Captured { headers: headers.collect(), body: body.to_bytes().to_vec() };
    let now = SystemEnv::default().now();
    let verdict = secret.map(|secret| captured.judge(secret, now));
    let is_good = verdict.as_ref().is_none_or(super::captured::Verdict::is_good);
    let result = verdict.map_or_else(|| "not verified".to_owned(), |verdict| verdict.to_string());
    // Control characters of a body must not reach the terminal.
    let text: String = String::from_utf8_lossy(&captured.body).chars().filter(|c| !c.is_control()).collect();
    // With the output closed, the sender is answered all the same.
    drop(print_line(format_args!("{}  {result}\n{text}", time(now))));
    Ok(answer(if is_good { StatusCode::OK } else { StatusCode::UNAUTHORIZED }))
}

fn answer(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
