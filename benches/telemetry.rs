//! What telemetry costs: a GET over both protocols with a tenth of the traces sent to a collector, metrics and one line of the
//! log for each request, beside the same with all of it off.
//!
//! `cargo bench --bench telemetry`

#![expect(clippy::print_stdout, reason = "the figures are the purpose")]
#![allow(dead_code, reason = "the other benches use the rest of the client")]

mod beside;
mod server;

use std::convert::Infallible;
use std::path::Path;
use std::time::Instant;

use beside::{ROUND, TASKS};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use server::{Program, Session, median};
use tokio::net::TcpListener;

const ROUNDS: usize = 5;

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on disk");
    let collector = collector().await;
    let off = [("KIRA_LOG", "off"), ("KIRA_METRICS", "false")];
    let on = [
        ("KIRA_LOG", "info"),
        ("KIRA_LOG_FORMAT", "json"),
        ("KIRA_METRICS", "true"),
        ("KIRA_OTLP_ENDPOINT", collector.as_str()),
        ("KIRA_OTLP_METRICS", "true"),
        ("KIRA_TRACE_SAMPLE_RATIO", "0.1"),
    ];
    let (session, user) = {
        let program = Program::start(folder.path(), &off).await;
        let session = Session::open(&program).await;
        let user = session.create().await;
        // Its token is good for the programs to come, which have the same database.
        (session, user)
    };
    for listener in ["REST", "gRPC"] {
        let mut figures = [off.as_slice(), on.as_slice()].map(|settings| (settings, Vec::new(), Vec::new()));
        for _ in 0..ROUNDS {
            for (settings, rates, costs) in &mut figures {
                let (rate, cost) = round(folder.path(), settings, listener, &session, &user).await;
                rates.push(rate);
                costs.push(cost);
            }
        }
        let [(rate_off, cost_off), (rate_on, cost_on)] =
            figures.map(|(_, mut rates, mut costs)| (median(&mut rates), median(&mut costs)));
        println!(
            "GET over {listener}: {rate_on:>7.0} a second with telemetry, {rate_off:.0} without, ratio {:.2} (target 0.9)",
            rate_on / rate_off
        );
        println!(
            "               {cost_on:>7.1} us CPU a request, {cost_off:.1} without, ratio {:.2}",
            cost_on / cost_off
        );
    }
}

/// Requests a second, and CPU time a request in microseconds.
async fn round(folder: &Path, settings: &[(&str, &str)], listener: &str, session: &Session, user: &str) -> (f64, f64) {
    let program = Program::start(folder, settings).await;
    let (begin, before) = (Instant::now(), program.cpu_seconds());
    let loops = (0..TASKS).map(async |_| {
        let mut count = 0.0;
        while begin.elapsed() < ROUND {
            if listener == "REST" {
                session.rest_get(user).await
            } else {
                session.grpc_get(user).await
            }
            count += 1.0;
        }
        count
    });
    let count: f64 = futures_util::future::join_all(loops).await.into_iter().sum();
    (count / begin.elapsed().as_secs_f64(), (program.cpu_seconds() - before) * 1e6 / count)
}

/// A collector that takes everything; where it is.
async fn collector() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                drop(request.into_body().collect().await);
                let answer = http::Response::builder().header("content-type", "application/grpc");
                let answer = answer.header("grpc-status", "0").body(Full::<bytes::Bytes>::default());
                Ok::<_, Infallible>(answer.expect("a response"))
            });
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
    endpoint
}
