//! Addresses: as texts, and packed as services see those of datagrams.
//!
//! A packed address is a byte for the family, the port in network order, and the
//! address: 7 bytes for IPv4, 19 for IPv6.

#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The first byte of a packed IPv4 address.
const IPV4: u8 = 1;
/// The first byte of a packed IPv6 address.
const IPV6: u8 = 2;
/// The size of a packed IPv4 address. Bytes.
const IPV4_SIZE: usize = 1 + 2 + 4;
/// The size of a packed IPv6 address. Bytes.
const IPV6_SIZE: usize = 1 + 2 + 16;

/// A packed address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    bytes: [u8; IPV6_SIZE],
    size: usize,
}

impl Packed {
    pub fn new(address: SocketAddr) -> Packed {
        let mut bytes = [0; IPV6_SIZE];
        bytes[1..3].copy_from_slice(&address.port().to_be_bytes());
        let size = match address.ip() {
            IpAddr::V4(ip) => {
                bytes[0] = IPV4;
                bytes[3..IPV4_SIZE].copy_from_slice(&ip.octets());
                IPV4_SIZE
            }
            IpAddr::V6(ip) => {
                bytes[0] = IPV6;
                bytes[3..].copy_from_slice(&ip.octets());
                IPV6_SIZE
            }
        };
        Packed { bytes, size }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.size]
    }
}

/// How many bytes a packed address has that begins with `first`; `None` if none
/// does.
pub fn packed_size(first: u8) -> Option<usize> {
    match first {
        IPV4 => Some(IPV4_SIZE),
        IPV6 => Some(IPV6_SIZE),
        _ => None,
    }
}

/// The address that was packed; `None` if these bytes are none.
pub fn unpack(bytes: &[u8]) -> Option<SocketAddr> {
    let (&first, rest) = bytes.split_first()?;
    let (port, ip) = rest.split_first_chunk::<2>()?;
    let ip = match first {
        IPV4 => IpAddr::from(Ipv4Addr::from(*ip.first_chunk::<4>()?)),
        IPV6 => IpAddr::from(Ipv6Addr::from(*ip.first_chunk::<16>()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes(*port)))
}

/// Address and port with a colon between them, around which IPv6 has no brackets.
pub fn with_port(address: SocketAddr) -> String {
    format!("{}:{}", address.ip(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing() {
        let v4: SocketAddr = "1.2.3.4:258".parse().unwrap();
        let packed = Packed::new(v4);
        assert_eq!(packed.as_bytes(), [1, 1, 2, 1, 2, 3, 4]);
        assert_eq!(unpack(packed.as_bytes()), Some(v4));
        assert_eq!(packed_size(1), Some(7));

        let v6: SocketAddr = "[::1]:80".parse().unwrap();
        let packed = Packed::new(v6);
        assert_eq!(packed.as_bytes().len(), 19);
        assert_eq!(packed.as_bytes()[..3], [2, 0, 80]);
        assert_eq!(unpack(packed.as_bytes()), Some(v6));
        assert_eq!(packed_size(2), Some(19));
    }

    #[test]
    fn bad() {
        assert_eq!(unpack(&[]), None);
        assert_eq!(unpack(&[1, 0, 80, 127, 0, 0]), None);
        assert_eq!(unpack(&[2; 18]), None);
        assert_eq!(unpack(&[0; 19]), None);
        assert_eq!(packed_size(0), None);
        assert_eq!(packed_size(3), None);
    }

    #[test]
    fn texts() {
        assert_eq!(with_port("1.2.3.4:5".parse().unwrap()), "1.2.3.4:5");
        assert_eq!(with_port("[::1]:5".parse().unwrap()), "::1:5");
    }
}
