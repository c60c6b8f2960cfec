//! Addresses of webhooks: what the guard lets pass is https and on the public internet, however it is written.

#![no_main]

use std::net::IpAddr;

use kira_users::webhook::guard::AddressGuard;
use libfuzzer_sys::fuzz_target;
use url::{Host, Url};

fuzz_target!(|text: &str| {
    let Ok(url) = Url::parse(text) else { return };
    if AddressGuard::new(&[]).check_url(&url).is_err() {
        return;
    }
    assert_eq!(url.scheme(), "https");
    let address: IpAddr = match url.host().expect("a host") {
        Host::Ipv4(address) => address.into(),
        Host::Ipv6(address) => address.into(),
        // A name that an HTTP client would take for an address must not pass as a name.
        Host::Domain(name) => match name.trim_end_matches('.').parse() {
            Ok(address) => address,
            Err(_) => return,
        },
    };
    let public = match address {
        IpAddr::V4(address) => !(address.is_loopback() || address.is_private() || address.is_link_local()),
        IpAddr::V6(address) => {
            !(address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local())
                && address.to_ipv4().is_none()
        }
    };
    let is_special = address.is_unspecified() || address.is_multicast();
    assert!(public && !is_special, "{address} passes");
});
