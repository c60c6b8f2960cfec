//! `healthcheck`: one HTTP/1.1 request by hand, so that a probe every few seconds costs next to nothing.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use url::Url;

use super::Failure;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Far more than the service sends.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// The readiness of the service on this machine; one that listens everywhere is asked at the loopback address.
pub(super) fn readiness_of(admin_addr: SocketAddr) -> Url {
    let ip = match admin_addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let addr = SocketAddr::new(ip, admin_addr.port());
    Url::parse(&format!("http://{addr}/readyz")).expect("an address and a path make a URL")
}

/// Fails unless a GET of `url` is answered with a status of success.
pub(super) fn check(url: &Url) -> Result<(), Failure> {
    let answer = get(url).map_err(|error| format!("{url} does not answer: {error}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    match status.parse::<u16>() {
        Ok(200..=299) => Ok(()),
        Ok(status) => Err(format!("{url} answers {status}: {}", body.trim()).into()),
        Err(_) => Err(format!("{url} does not speak HTTP").into()),
    }
}

fn get(url: &Url) -> std::io::Result<String> {
    let mut failure = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    for addr in url.socket_addrs(|| None)? {
        match ask(addr, url) {
            Ok(answer) => return Ok(answer),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn ask(addr: SocketAddr, url: &Url) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&addr, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let request = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// The outcome of a check of a server that answers `answer`.
    fn checked(answer: &'static str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let url = readiness_of(listener.local_addr().expect("is bound"));
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("is asked");
            let mut request = [0; 1024];
            let length = stream.read(&mut request).expect("reads");
            stream.write_all(answer.as_bytes()).expect("answers");
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let outcome = check(&url).map_err(|failure| failure.to_string());
        assert!(server.join().expect("does not panic").starts_with("GET /readyz HTTP/1.1\r\nhost: 127.0.0.1:"));
        outcome
    }

    #[test]
    fn a_ready_service_passes() {
        assert_eq!(checked("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"), Ok(()));
    }

    #[test]
    fn a_service_that_is_not_ready_fails_with_its_reason() {
        let refused = checked("HTTP/1.1 503 Service Unavailable\r\n\r\nthe schema is not current\n");
        assert!(refused.is_err_and(|text| text.ends_with("answers 503: the schema is not current")));
    }

    #[test]
    fn what_does_not_speak_http_fails() {
        assert!(checked("hello").is_err_and(|text| text.ends_with("does not speak HTTP")));
    }

    #[test]
    fn a_port_without_a_listener_fails() {
        let addr = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("binds");
        let refused = check(&readiness_of(addr)).map_err(|failure| failure.to_string());
        assert!(refused.is_err_and(|text| text.contains("does not answer")));
    }

    #[test]
    fn a_service_that_listens_everywhere_is_asked_at_the_loopback_address() {
        let url = |addr: &str| readiness_of(addr.parse().expect("is an address")).to_string();
        assert_eq!(url("0.0.0.0:9090"), "http://127.0.0.1:9090/readyz");
        assert_eq!(url("[::]:9090"), "http://[::1]:9090/readyz");
        assert_eq!(url("10.1.2.3:9090"), "http://10.1.2.3:9090/readyz");
    }
}
