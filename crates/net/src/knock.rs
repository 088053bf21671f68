//! Whether a port is closed, as the other machine's own system says.
//!
//! When a process dies its system answers packets for its UDP port with "port unreachable",
//! which a shared QUIC socket does not show. A connected socket of one's own does. Firewalls may
//! answer alike for living nodes, so a refusal says something only where an earlier knock, while
//! the node lived, was not refused.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::UdpSocket;

/// What is sent: shorter than any packet, so that a node ignores it.
const NOTHING: &[u8] = &[0];

/// A socket that knocks at one address.
#[derive(Debug)]
pub struct Knock {
    socket: UdpSocket,
}

impl Knock {
    /// A socket toward `address`, and a first knock. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the system has no socket left, or no way to the address.
    pub fn toward(address: SocketAddr) -> io::Result<Self> {
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = std::net::UdpSocket::bind(any)?;
        socket.connect(address)?;
        socket.set_nonblocking(true)?;
        // Not by the runtime: of a new socket it does not know yet that it can send.
        socket.send(NOTHING)?;
        Ok(Self { socket: UdpSocket::from_std(socket)? })
    }

    /// Knocks again. An answer may come later, or never. False when the system says instead
    /// that an earlier knock was refused.
    pub fn knock(&self) -> bool {
        let sent = self.socket.try_send(NOTHING);
        !sent.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    }

    /// Resolves when a knock was refused: nobody listens there. Cancel-safe.
    pub async fn refused(&self) {
        let mut ignored = [0; 1];
        loop {
            let received = self.socket.recv(&mut ignored).await;
            if received.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_closed_port_refuses_and_an_open_one_hears_the_knock() {
        let node = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let knock = Knock::toward(node.local_addr().unwrap()).unwrap();
        let mut heard = [0; 8];
        assert_eq!(node.recv(&mut heard).await.unwrap(), NOTHING.len());
        drop(node);
        assert!(knock.knock());
        knock.refused().await;
    }
}
