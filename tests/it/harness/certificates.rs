//! Real certificates: an authority, what it signs, and clients that trust it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

/// Who signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub(crate) struct Signed {
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "the authority of a test");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate"))
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate of this machine.
    pub(crate) fn server(&self) -> Signed {
        self.sign(|_| {})
    }

    /// A certificate of a client.
    pub(crate) fn client(&self) -> Signed {
        self.sign(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth])
    }

    pub(crate) fn sign(&self, adapt: impl FnOnce(&mut CertificateParams)) -> Signed {
        let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("two names");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        adapt(&mut params);
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &self.0).expect("a certificate");
        Signed { cert: cert.pem(), key: key.serialize_pem() }
    }

    /// What a client that trusts this authority alone is configured with; with `shown` it shows that certificate.
    pub(crate) fn trusted(&self, shown: Option<&Signed>, speaks: &[&[u8]]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("TLS 1.2 and 1.3").with_root_certificates(roots);
        let mut config = match shown {
            None => builder.with_no_client_auth(),
            Some(Signed { cert, key }) => {
                let cert = CertificateDer::from_pem_slice(cert.as_bytes()).expect("a certificate");
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
                builder.with_client_auth_cert(vec![cert], key).expect("the two fit")
            }
        };
        config.alpn_protocols = speaks.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }

    /// An HTTP client that trusts this authority alone.
    pub(crate) fn http(&self, shown: Option<&Signed>) -> reqwest::Client {
        let config = self.trusted(shown, &[]);
        let config = Arc::try_unwrap(config).unwrap_or_else(|_| panic!("it has one owner"));
        reqwest::Client::builder().no_proxy().tls_backend_preconfigured(config).build().expect("an HTTP client")
    }

    /// A gRPC channel of a client that trusts this authority alone.
    pub(crate) async fn channel(
        &self,
        address: SocketAddr,
        shown: Option<&Signed>,
    ) -> Result<Channel, tonic::transport::Error> {
        let config = self.trusted(shown, &[b"h2"]);
        let connector = tower::service_fn(move |_| {
            let config = Arc::clone(&config);
            async move { connect(address, config).await.map(TokioIo::new) }
        });
        Endpoint::from_static("http://localhost").connect_with_connector(connector).await
    }
}

/// A connection whose handshake is done, as far as the client knows.
pub(crate) async fn connect(address: SocketAddr, config: Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(config).connect(name, TcpStream::connect(address).await?).await
}

/// The certificate that the other side has shown, in DER.
pub(crate) fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().expect("certificates")[0].to_vec()
}

/// A certificate in DER.
pub(crate) fn der(signed: &Signed) -> Vec<u8> {
    CertificateDer::from_pem_slice(signed.cert.as_bytes()).expect("a certificate").to_vec()
}

/// A folder of PEM files.
pub(crate) struct Files(TempDir);

impl Files {
    /// The files of a listener, and the authority of its clients if it asks for any.
    pub(crate) fn of(signed: &Signed, client_ca: Option<&Authority>) -> Self {
        let files = Self(tempfile::tempdir().expect("a folder"));
        files.write("tls.crt", &signed.cert);
        files.write("tls.key", &signed.key);
        if let Some(authority) = client_ca {
            files.write("ca.crt", &authority.pem());
        }
        files
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).expect("a file");
    }
}
