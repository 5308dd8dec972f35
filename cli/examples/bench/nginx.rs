//! The peer: nginx with mutual TLS 1.3 before the same upstream, two workers, kept connections, nothing else.

use std::{net::SocketAddr, path::Path, process::Command, sync::Arc, time::Duration};

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

use crate::{
    load::{Identity, Target},
    process::{self, Owned},
};

/// A running nginx.
pub(crate) struct Nginx {
    child: Owned,
    /// Proxies to the upstream.
    pub(crate) proxy: Target,
    /// Answers by itself.
    pub(crate) alone: Target,
}

impl Nginx {
    /// Starts it in `folder` with a PKI of its own.
    pub(crate) fn start(folder: &Path, upstream: u16) -> anyhow::Result<Self> {
        process::needs("nginx", "-v", "nginx")?;
        let (proxy, alone) = (process::free_port()?, process::free_port()?);
        let (roots, identity) = papers(folder)?;
        let file = folder.join("nginx.conf");
        std::fs::write(
            &file,
            configuration(&folder.display().to_string(), proxy, alone, upstream),
        )?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(folder).arg("-c").arg(&file);
        command.arg("-e").arg(folder.join("error.log"));
        let child = Owned::start(&mut command)?;
        let identity = Arc::new(identity);
        let target = |port| Target {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            origin: format!("https://localhost:{port}"),
            roots: roots.clone(),
            identities: vec![identity.clone()],
        };
        let nginx = Self {
            child,
            proxy: target(proxy),
            alone: target(alone),
        };
        for _ in 0..100 {
            if std::net::TcpStream::connect(nginx.alone.address).is_ok() {
                return Ok(nginx);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let log = std::fs::read_to_string(folder.join("error.log")).unwrap_or_default();
        anyhow::bail!("nginx does not listen: {log}")
    }

    /// Its processor time so far, of master and workers.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        process::cpu(self.child.pid(), "")
    }
}

/// Writes server certificate, key and client anchor; gives what a client needs.
fn papers(folder: &Path) -> anyhow::Result<(Vec<rustls::pki_types::CertificateDer<'static>>, Identity)> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "bench CA");
    let root = params.self_signed(&key)?;
    let issuer = Issuer::new(params, key);
    let leaf = |names: Vec<String>, purpose: ExtendedKeyUsagePurpose| -> anyhow::Result<_> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "bench");
        params.extended_key_usages = vec![purpose];
        Ok((params.signed_by(&key, &issuer)?, key))
    };
    let (server, server_key) = leaf(vec!["localhost".to_owned()], ExtendedKeyUsagePurpose::ServerAuth)?;
    let (client, client_key) = leaf(Vec::new(), ExtendedKeyUsagePurpose::ClientAuth)?;
    std::fs::write(folder.join("ca.pem"), root.pem())?;
    std::fs::write(folder.join("server.pem"), server.pem())?;
    std::fs::write(folder.join("server.key"), server_key.serialize_pem())?;
    let identity = Identity {
        chain: vec![client.der().clone()],
        key: client_key
            .serialize_der()
            .try_into()
            .map_err(|error| anyhow::anyhow!("{error}"))
            .context("the peer's key")?,
    };
    Ok((vec![root.der().clone()], identity))
}

fn configuration(folder: &str, proxy: u16, alone: u16, upstream: u16) -> String {
    format!(
        r#"daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  keepalive_timeout 120s;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  ssl_certificate {folder}/server.pem;
  ssl_certificate_key {folder}/server.key;
  ssl_client_certificate {folder}/ca.pem;
  ssl_verify_client on;
  ssl_protocols TLSv1.3;
  ssl_session_cache off;
  ssl_session_tickets off;
  upstream venue {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 100000000; }}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  server {{ listen 127.0.0.1:{proxy} ssl; location / {{ proxy_pass http://venue; }} }}
  server {{ listen 127.0.0.1:{alone} ssl; location / {{ return 200 "ok"; }} }}
}}
"#
    )
}
