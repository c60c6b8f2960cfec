//! Builds the TLS configuration of a listener from PEM files, with a message for each problem.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ring::digest::{Context, SHA256};
use rustls::crypto::{CryptoProvider, ring::default_provider};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use x509_cert::der::Decode as _;
use x509_cert::time::Time;
use zeroize::Zeroizing;

use crate::config::{Problem, TlsConfig, TlsFile};
use crate::server::tls::{Alpn, ServedCertificate};

/// SHA-256 of the content of the files.
pub(super) type Digest = Vec<u8>;

/// The content of a listener's files, or why a file cannot be read.
pub(super) struct FileContents {
    cert: Content,
    key: Content,
    client_ca: Option<Content>,
}

type Content = Result<Zeroizing<Vec<u8>>, String>;

impl FileContents {
    pub(super) fn read(files: &TlsConfig) -> Self {
        let read = |file: &TlsFile| {
            std::fs::read(&file.path).map(Zeroizing::new).map_err(|error| format!("{}: {error}", file.path.display()))
        };
        Self { cert: read(&files.cert), key: read(&files.key), client_ca: files.client_ca.as_ref().map(read) }
    }

    /// Differs when the content differs, and when the reason that a file cannot be read differs.
    pub(super) fn digest(&self) -> Digest {
        let mut context = Context::new(&SHA256);
        for content in [Some(&self.cert), Some(&self.key), self.client_ca.as_ref()].into_iter().flatten() {
            let (kind, bytes) = match content {
                Ok(bytes) => (b'c', bytes.as_slice()),
                Err(problem) => (b'e', problem.as_bytes()),
            };
            context.update(&[kind]);
            context.update(&(bytes.len() as u64).to_be_bytes());
            context.update(bytes);
        }
        context.finish().as_ref().to_vec()
    }

    /// The configuration to serve.
    ///
    /// # Errors
    /// Every problem of the files.
    pub(super) fn load(&self, files: &TlsConfig, alpn: Alpn) -> Result<ServedCertificate, Vec<Problem>> {
        let provider = Arc::new(default_provider());
        let mut problems = Vec::new();
        let mut note = |file: &TlsFile, message| problems.push(Problem { key: file.setting.clone(), message });
        let chain = chain(&self.cert).map_err(|message| note(&files.cert, message));
        let key = private_key(&self.key).map_err(|message| note(&files.key, message));
        let clients = match (&files.client_ca, &self.client_ca) {
            (Some(file), Some(content)) => {
                let verifier = client_verifier(content, &provider);
                verifier.map(Some).map_err(|message| note(file, message))
            }
            _ => Ok(None),
        };
        let (Ok((chain, valid)), Ok(key), Ok(clients)) = (chain, key, clients) else { return Err(problems) };
        server_config(&provider, chain, key, clients, alpn)
            .map(|config| ServedCertificate { config: Arc::new(config), not_before: valid.0, not_after: valid.1 })
            .map_err(|message| vec![Problem { key: files.key.setting.clone(), message }])
    }
}

type Validity = (DateTime<Utc>, DateTime<Utc>);

fn chain(content: &Content) -> Result<(Vec<CertificateDer<'static>>, Validity), String> {
    let chain = certificates(content)?;
    let leaf = chain.first().ok_or("holds no certificate in PEM")?;
    let leaf = x509_cert::Certificate::from_der(leaf).map_err(|_| "its first certificate is not X.509")?;
    let time = |time: Time| DateTime::from_timestamp(time.to_unix_duration().as_secs().try_into().ok()?, 0);
    let validity = leaf.tbs_certificate.validity;
    let valid = time(validity.not_before).zip(time(validity.not_after)).ok_or("its validity is out of range")?;
    Ok((chain, valid))
}

fn certificates(content: &Content) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = content.as_ref().map_err(|problem| format!("cannot be read: {problem}"))?;
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| "is not whole PEM".to_owned())
}

/// The errors leave out the library's message, which quotes the file.
fn private_key(content: &Content) -> Result<PrivateKeyDer<'static>, String> {
    let pem = content.as_ref().map_err(|problem| format!("cannot be read: {problem}"))?;
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| "holds no private key in PEM; accepted: PKCS#8, PKCS#1 or SEC1, without a password".to_owned())
}

fn client_verifier(content: &Content, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for root in certificates(content)? {
        roots.add(root).map_err(|error| format!("holds a certificate that cannot be a root: {error}"))?;
    }
    if roots.is_empty() {
        return Err("holds no certificate in PEM".to_owned());
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| format!("cannot be used: {error}"))
}

fn server_config(
    provider: &Arc<CryptoProvider>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
    alpn: Alpn,
) -> Result<ServerConfig, String> {
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let builder = match clients {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => "is not the key of the certificate".to_owned(),
        error => format!("cannot be used with the certificate: {error}"),
    })?;
    config.alpn_protocols = match alpn {
        Alpn::Http => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        Alpn::Http2 => vec![b"h2".to_vec()],
    };
    Ok(config)
}
