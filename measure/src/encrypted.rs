//! TLS in front of the stand-ins, with an authority of its own that the function is told to trust: what is talked to on Lambda
//! is talked to over TLS.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring::default_provider, pki_types::PrivateKeyDer},
};

/// Vouches for every front on this machine.
pub(crate) struct Authority {
    pem: String,
    acceptor: TlsAcceptor,
}

/// Takes TLS off and passes on what comes; it ends with this.
#[derive(Debug)]
pub(crate) struct Front(JoinHandle<()>);

impl Authority {
    /// A new one.
    pub(crate) fn new() -> Result<Self> {
        let mut authority = CertificateParams::new([])?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = CertificateParams::new([Ipv4Addr::LOCALHOST.to_string()])?;
        let certificate = names.signed_by(&key, &authority)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        let server = ServerConfig::builder_with_provider(default_provider().into())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        Ok(Self {
            pem: authority.pem(),
            acceptor: TlsAcceptor::from(Arc::new(server)),
        })
    }

    /// Its certificate, for `SSL_CERT_FILE`.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// Puts TLS in front of a server at `http://…`; the new base URL.
    pub(crate) async fn front(&self, url: &str) -> Result<(String, Front)> {
        let address = url.strip_prefix("http://").context("no http:// URL")?;
        let address: SocketAddr = address.parse()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("https://{}", listener.local_addr()?);
        let acceptor = self.acceptor.clone();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Who hangs up has had enough.
                tokio::spawn(pass_on(acceptor.clone(), stream, address));
            }
        });
        Ok((url, Front(serving)))
    }
}

async fn pass_on(acceptor: TlsAcceptor, stream: TcpStream, to: SocketAddr) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut inner = TcpStream::connect(to).await?;
    inner.set_nodelay(true)?;
    let mut outer = acceptor.accept(stream).await?;
    copy_bidirectional(&mut outer, &mut inner).await?;
    Ok(())
}

impl Drop for Front {
    fn drop(&mut self) {
        self.0.abort();
    }
}
