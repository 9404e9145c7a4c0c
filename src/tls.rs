//! Whom we believe to be who they say: the one TLS configuration, which every connection shares.
//!
//! The roots are compiled in. A function is cold most of the time, and parsing the system's certificates would be most of its
//! start; the anchors of Mozilla's list, as `webpki-roots` has them, need no parsing. Who has a root of their own names a file.

use std::{io, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{
        CertificateDer,
        pem::{self, PemObject as _},
    },
    version::{TLS12, TLS13},
};
use webpki_roots::TLS_SERVER_ROOTS;

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("SSL_CERT_FILE {file}: {reason}")]
    File {
        /// Its path.
        file: String,
        /// What the system says.
        reason: io::Error,
    },
    /// The file is none of certificates.
    #[error("SSL_CERT_FILE {file} is no PEM file of certificates: {reason}")]
    NoCertificates {
        /// Its path.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// The TLS library refuses its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Unusable(#[from] rustls::Error),
}

/// Trusts the roots that are compiled in.
///
/// # Errors
/// [`TlsError::Unusable`].
pub fn compiled_in() -> Result<ClientConfig, TlsError> {
    trusting(RootCertStore {
        roots: TLS_SERVER_ROOTS.to_vec(),
    })
}

/// Trusts the certificates of a PEM file and no others, as OpenSSL does with `SSL_CERT_FILE`.
/// <https://docs.openssl.org/master/man3/SSL_CTX_load_verify_locations/>
///
/// # Errors
/// [`TlsError::File`], and [`TlsError::NoCertificates`] where one of them is none, or there is none.
pub fn of_file(path: &Path) -> Result<ClientConfig, TlsError> {
    let file = path.display().to_string();
    let no_certificates = |reason: String| TlsError::NoCertificates {
        file: file.clone(),
        reason,
    };
    let pem = std::fs::read(path).map_err(|reason| TlsError::File {
        file: file.clone(),
        reason,
    })?;
    let certificates: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|error| no_certificates(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    // Some that a system has are of kinds that no web server uses; one that can be used is enough.
    let (usable, _) = roots.add_parsable_certificates(certificates);
    if usable == 0 {
        return Err(no_certificates("there is none that can be used".to_owned()));
    }
    trusting(roots)
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::{ServerConfig, pki_types::PrivateKeyDer};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };
    use tokio_rustls::TlsAcceptor;

    use crate::http;

    /// A company's own authority, and a server on a loopback address that it vouches for.
    struct Company {
        authority: String,
        url: String,
    }

    impl Company {
        async fn new() -> Self {
            let mut params = CertificateParams::new([]).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let authority =
                CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
            let key = KeyPair::generate().unwrap();
            let names = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
            let certificate = names.signed_by(&key, &authority).unwrap();
            let server =
                ServerConfig::builder_with_provider(super::ring::default_provider().into())
                    .with_safe_default_protocol_versions()
                    .unwrap()
                    .with_no_client_auth()
                    .with_single_cert(
                        vec![certificate.der().clone()],
                        PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
                    )
                    .unwrap();
            let acceptor = TlsAcceptor::from(std::sync::Arc::new(server));
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let url = format!("https://{}/", listener.local_addr().unwrap());
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    // Who does not trust it hangs up.
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        continue;
                    };
                    let _ = stream.read(&mut [0; 1024]).await;
                    let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
                    let _ = stream.write_all(answer).await;
                    let _ = stream.shutdown().await;
                }
            });
            let authority = authority.pem();
            Self { authority, url }
        }
    }

    fn refusal_of(file: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roots.pem");
        std::fs::write(&path, file).unwrap();
        let error = http::client_trusting(&path).unwrap_err().to_string();
        assert!(error.contains("SSL_CERT_FILE"), "{error}");
        assert!(error.contains("roots.pem"), "{error}");
        error
    }

    #[tokio::test]
    async fn who_is_vouched_for_by_nobody_we_know_is_not_talked_to() {
        let company = Company::new().await;
        let http = http::client().unwrap();
        let error = http.get(&company.url).send().await.unwrap_err();
        assert!(error.is_connect(), "{error}");
        assert!(format!("{error:?}").contains("UnknownIssuer"), "{error:?}");
    }

    #[tokio::test]
    async fn the_users_own_certificates_are_trusted_in_place_of_the_compiled_ones() {
        let company = Company::new().await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roots.pem");
        std::fs::write(&path, &company.authority).unwrap();
        let http = http::client_trusting(&path).unwrap();
        let answer = http.get(&company.url).send().await.unwrap();
        assert_eq!(answer.status(), 204);
        // Of somebody else the same file says nothing.
        let other = Company::new().await;
        assert!(http.get(&other.url).send().await.is_err());
    }

    #[tokio::test]
    async fn who_speaks_no_tls_newer_than_1_1_is_not_talked_to() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            // A ServerHello of TLS 1.1 (RFC 4346, 7.4.1.3): the record's header, the message's, its version, 32 random bytes, no
            // session, a cipher suite, no compression.
            let mut hello = vec![22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
            hello.extend([7; 32]);
            hello.extend([0, 0xc0, 0x14, 0]);
            let _ = stream.write_all(&hello).await;
            let _ = stream.read(&mut [0; 1024]).await;
        });
        let error = http::client().unwrap().get(&url).send().await.unwrap_err();
        assert!(error.is_connect(), "{error}");
        assert!(
            format!("{error:?}").contains("PeerIncompatible"),
            "{error:?}"
        );
    }

    #[test]
    fn a_file_without_certificates_is_refused_by_its_name() {
        assert!(refusal_of("").contains("there is none"));
        assert!(refusal_of("no PEM at all\n").contains("there is none"));
        let broken = "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
        assert!(refusal_of(broken).contains("no PEM file"));
        let not_one = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(refusal_of(not_one).contains("there is none"));
    }

    #[test]
    fn a_file_that_is_not_there_is_refused_by_its_name() {
        let missing = std::path::Path::new("/nowhere/roots.pem");
        let error = http::client_trusting(missing).unwrap_err().to_string();
        assert!(
            error.starts_with("SSL_CERT_FILE /nowhere/roots.pem: "),
            "{error}"
        );
    }
}
