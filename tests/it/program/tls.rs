//! TLS as an operator meets it.

use crate::harness::certificates::{Authority, Files};
use crate::harness::program::{Setup, wait_until};
use crate::harness::service::{Answer, http_client};

fn setup(files: &Files) -> Setup {
    let mut setup = Setup::embedded();
    for (name, file) in [
        ("KIRA_HTTP_TLS_CERT", "tls.crt"),
        ("KIRA_HTTP_TLS_KEY", "tls.key"),
        ("KIRA_GRPC_TLS_CERT", "tls.crt"),
        ("KIRA_GRPC_TLS_KEY", "tls.key"),
    ] {
        setup.set(name, &files.text(file));
    }
    setup
}

#[test]
fn files_that_cannot_be_served_are_told_all_at_once() {
    let authority = Authority::new();
    let files = Files::of(&authority.server(), None);
    files.write("tls.key", &authority.server().key);
    let mut setup = setup(&files);
    setup.set("KIRA_HTTP_TLS_CERT", "nowhere.crt");
    let output = setup.run(&[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("KIRA_HTTP_TLS_CERT: cannot be read: nowhere.crt: No such file"), "{said}");
    assert!(said.contains("KIRA_GRPC_TLS_KEY: is not the key of the certificate"), "{said}");
    assert!(!setup.data().exists(), "nothing was begun");
    // What serves nothing needs none of it.
    setup.printed(&["migrate"]);
}

#[test]
fn a_certificate_that_has_expired_is_a_warning() {
    let expired = Authority::new().sign(|params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 2, 1);
    });
    let program = setup(&Files::of(&expired, None)).serve();
    let warning = program.log.find("the certificate has expired").expect("a warning");
    assert_eq!((warning["level"].as_str(), warning["cert"].as_str()), (Some("WARN"), Some("KIRA_HTTP_TLS_CERT")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_banner_and_the_probe_are_right_with_tls() {
    let authority = Authority::new();
    let files = Files::of(&authority.server(), None);
    let mut setup = setup(&files);
    let program = setup.serve();
    let said = || Some(program.output.text()).filter(|text| text.contains("idempotency-key"));
    let banner = wait_until(said, || "the banner".to_owned());
    let url = format!("https://{}", program.rest());
    let call = format!("curl -s --cacert '{}' {url}/auth", files.text("tls.crt"));
    assert!(banner.contains(&call) && !banner.contains(&url.replace("https", "http")), "{banner}");
    assert!(banner.contains(&format!("gRPC   {} (TLS)", program.grpc())), "{banner}");
    let answer = Answer::of(authority.http(None).get(format!("{url}/auth")).send().await.expect("an answer")).await;
    assert_eq!(answer.status, 405);

    setup.set("KIRA_ADMIN_ADDR", &program.admin());
    assert_eq!(setup.run(&["healthcheck"]).status.code(), Some(0));
    let metrics = http_client().get(format!("http://{}/metrics", program.admin())).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("text");
    for listener in ["rest", "grpc"] {
        let found = metrics.lines().any(|line| {
            line.starts_with("kira_tls_certificate_not_after_timestamp_seconds{") && line.contains(listener)
        });
        assert!(found, "{listener}: {metrics}");
    }
}
