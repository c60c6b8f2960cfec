//! TLS of a listener: the paths of its PEM files.

use std::path::PathBuf;

use super::reader::Reader;
use super::value::OrOff;

/// TLS of one listener. The server checks that the files exist and match: other commands run where they do not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// The certificate, and behind it those that lead to its root.
    pub cert: TlsFile,
    /// The certificate's private key.
    pub key: TlsFile,
    /// The authority of client certificates (mutual TLS); `None` asks for none.
    pub client_ca: Option<TlsFile>,
}

/// A PEM file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFile {
    /// The setting that names it, as the operator wrote it.
    pub setting: String,
    /// The path.
    pub path: PathBuf,
}

/// The settings of one listener.
pub(super) struct TlsSettings {
    pub(super) cert: &'static str,
    pub(super) key: &'static str,
    pub(super) client_ca: &'static str,
}

impl TlsConfig {
    /// `None` is no TLS.
    pub(super) fn read(reader: &mut Reader, settings: &TlsSettings) -> Option<Self> {
        let mut file = |setting: &'static str| {
            let path = reader.required::<OrOff<PathBuf>>(setting).0?;
            Some(TlsFile { setting: reader.key(setting), path })
        };
        let (cert, key, client_ca) = (file(settings.cert), file(settings.key), file(settings.client_ca));
        match (cert, key, client_ca) {
            (Some(cert), Some(key), client_ca) => return Some(Self { cert, key, client_ca }),
            (None, None, None) => {}
            (None, None, Some(_)) => {
                let (cert, key) = (reader.key(settings.cert), reader.key(settings.key));
                let problem = format!("needs {cert} and {key}: without TLS no client can show a certificate");
                reader.refuse(settings.client_ca, problem);
            }
            (Some(cert), None, _) => {
                reader.refuse(settings.key, format!("must be given with {}", cert.setting));
            }
            (None, Some(key), _) => {
                reader.refuse(settings.cert, format!("must be given with {}", key.setting));
            }
        }
        None
    }
}
