//! Real links over loopback: dialing, pinning, versions, seats, messages, datagrams.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lets_meet::endpoint::{self, Cause, ConnectError, Endpoint};
use lets_meet::identity::Identity;
use lets_meet::tls::{Alpn, Pin};

fn bind() -> (Endpoint, Arc<Identity>, SocketAddr) {
    let identity = Arc::new(Identity::generate());
    let config = endpoint::Config { port: Some(0), interfaces: vec!["lo".to_owned()] };
    let endpoint = Endpoint::bind(config, Arc::clone(&identity)).expect("bound");
    let address = (Ipv4Addr::LOCALHOST, endpoint.port()).into();
    (endpoint, identity, address)
}

#[tokio::test]
async fn both_sides_of_a_connection_know_the_others_key() {
    let (a, a_key, _) = bind();
    let (b, b_key, b_address) = bind();
    let mut incoming = b.accept(Alpn::Mesh);
    let dialed = a.connect(b_address, Pin::Exact(b_key.peer_id()), Alpn::Mesh).await.expect("connected");
    let accepted = incoming.recv().await.expect("accepted");
    assert_eq!(endpoint::public_key(&dialed), Some(b_key.public_key()));
    assert_eq!(endpoint::public_key(&accepted), Some(a_key.public_key()));
    assert_eq!(endpoint::canonical(dialed.remote_address()), b_address);
    a.close("").await;
    b.close("").await;
}

#[tokio::test]
async fn a_wrong_pin_ends_the_handshake() {
    let (a, _, _) = bind();
    let (b, _, b_address) = bind();
    let _incoming = b.accept(Alpn::Mesh);
    let pin = Pin::Exact(Identity::generate().peer_id());
    assert_eq!(a.connect(b_address, pin, Alpn::Mesh).await.err(), Some(ConnectError::WrongKey));
    a.close("").await;
    b.close("").await;
}

#[tokio::test]
async fn another_protocol_version_is_told_to_both_sides() {
    let (a, _, _) = bind();
    let (b, _, b_address) = bind();
    let _incoming = b.accept(Alpn::Mesh);
    let failed = a.connect_as(b_address, Pin::Learn, b"lets-meet/99").await;
    assert_eq!(failed.err(), Some(ConnectError::Version));
    let trouble = tokio::time::timeout(Duration::from_secs(5), b.troubles().recv()).await.expect("in time");
    assert_eq!(trouble.expect("open").cause, Cause::Version);
    a.close("").await;
    b.close("").await;
}

#[tokio::test]
async fn ports_and_interfaces_that_cannot_be_had_are_told() {
    let (a, identity, _) = bind();
    let config = |port, interface: &str| endpoint::Config { port, interfaces: vec![interface.to_owned()] };
    let taken = Endpoint::bind(config(Some(a.port()), "lo"), Arc::clone(&identity));
    assert!(matches!(taken, Err(endpoint::Error::Taken(port)) if port == a.port()));
    let missing = Endpoint::bind(config(None, "no-such-0"), identity);
    assert!(matches!(missing, Err(endpoint::Error::NoInterface(name)) if name == "no-such-0"));
    assert!(a.listen_addresses().iter().all(|address| address.ip().is_loopback() && address.port() == a.port()));
    assert!(!a.listen_addresses().is_empty());
    a.close("").await;
}
