//! The files of TLS: what is wrong with them, and what becomes of them when they change.

use chrono::{DateTime, Utc};
use kira_users::config::{TlsConfig, TlsFile};
use kira_users::server::tls::{Alpn, ListenerTls};

use crate::harness::certificates::{Authority, Files};
use crate::harness::service::BEGINNING;

fn now() -> DateTime<Utc> {
    BEGINNING.parse().expect("a time")
}

fn config(files: &Files) -> TlsConfig {
    let file = |setting: &str, name: &str| TlsFile { setting: setting.to_owned(), path: files.path(name) };
    let client_ca = files.path("ca.crt").exists().then(|| file("CA", "ca.crt"));
    TlsConfig { cert: file("CERT", "tls.crt"), key: file("KEY", "tls.key"), client_ca }
}

/// The problems of wrong files.
fn problems(files: &Files) -> Vec<String> {
    let opened = ListenerTls::open(config(files), Alpn::Http, now());
    opened.err().expect("a refusal").iter().map(ToString::to_string).collect()
}

#[test]
fn files_that_are_not_there_are_all_named() {
    let authority = Authority::new();
    let files = Files::of(&authority.server(), Some(&authority));
    files.write("ca.crt", "nothing");
    for name in ["tls.crt", "tls.key"] {
        std::fs::remove_file(files.path(name)).expect("it is there");
    }
    let found = problems(&files);
    let [cert, key, ca] = found.as_slice() else { panic!("{found:?}") };
    assert!(cert.starts_with(&format!("CERT: cannot be read: {}: No such file", files.text("tls.crt"))), "{cert}");
    assert!(key.starts_with(&format!("KEY: cannot be read: {}: No such file", files.text("tls.key"))), "{key}");
    assert_eq!(ca, "CA: holds no certificate in PEM");
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let authority = Authority::new();
    let files = Files::of(&authority.server(), None);
    files.write("tls.key", &authority.server().key);
    assert_eq!(problems(&files), ["KEY: is not the key of the certificate"]);
}

#[test]
fn files_that_hold_something_else_are_refused_without_their_content() {
    let authority = Authority::new();
    let signed = authority.server();
    let files = Files::of(&signed, None);
    files.write("tls.crt", &signed.key);
    files.write("tls.key", &signed.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"));
    let found = problems(&files);
    assert_eq!(
        found,
        [
            "CERT: holds no certificate in PEM",
            "KEY: holds no private key in PEM; accepted: PKCS#8, PKCS#1 or SEC1, without a password"
        ]
    );
    let cut = &signed.key[..signed.key.len() / 2];
    files.write("tls.key", cut);
    assert!(problems(&files).iter().all(|problem| !problem.contains(&cut[40..60])), "a key is not shown");
}

#[test]
fn an_expired_certificate_is_served_all_the_same() {
    let signed = Authority::new().sign(|params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 2, 1);
    });
    let tls = ListenerTls::open(config(&Files::of(&signed, None)), Alpn::Http, now()).expect("is served");
    assert_eq!(tls.not_after().to_rfc3339(), "2020-02-01T00:00:00+00:00");
}

#[test]
fn changed_files_are_served_and_broken_ones_are_not() {
    let authority = Authority::new();
    let until = |year| authority.sign(|params| params.not_after = rcgen::date_time_ymd(year, 1, 1));
    let files = Files::of(&until(2030), None);
    let tls = ListenerTls::open(config(&files), Alpn::Http, now()).expect("is served");
    let served = || tls.not_after().to_rfc3339()[..4].to_owned();

    // As it is seen when the certificate is written before its key.
    let next = until(2031);
    files.write("tls.crt", &next.cert);
    tls.reload(now());
    tls.reload(now());
    assert_eq!((served().as_str(), tls.failed_reloads()), ("2030", 1), "reported once");
    files.write("tls.key", &next.key);
    tls.reload(now());
    assert_eq!((served().as_str(), tls.failed_reloads()), ("2031", 1));

    std::fs::remove_file(files.path("tls.key")).expect("it is there");
    tls.reload(now());
    assert_eq!((served().as_str(), tls.failed_reloads()), ("2031", 2));
}

#[test]
fn links_that_are_swapped_are_followed() {
    let authority = Authority::new();
    let until = |year| authority.sign(|params| params.not_after = rcgen::date_time_ymd(year, 1, 1));
    let (old, new) = (Files::of(&until(2030), None), Files::of(&until(2031), None));
    // As Kubernetes mounts a Secret: the files are links into a folder that is a link itself.
    let mount = tempfile::tempdir().expect("a folder");
    let link = |target: &Files| {
        std::os::unix::fs::symlink(target.path(""), mount.path().join("..data_tmp")).expect("a link");
        std::fs::rename(mount.path().join("..data_tmp"), mount.path().join("..data")).expect("one step");
    };
    link(&old);
    let file = |name: &str| TlsFile { setting: name.to_owned(), path: mount.path().join("..data").join(name) };
    let config = TlsConfig { cert: file("tls.crt"), key: file("tls.key"), client_ca: None };
    let tls = ListenerTls::open(config, Alpn::Http2, now()).expect("is served");
    link(&new);
    tls.reload(now());
    assert_eq!(tls.not_after().to_rfc3339(), "2031-01-01T00:00:00+00:00");
}
