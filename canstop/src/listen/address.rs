//! Addresses to listen on.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::path::{Path, PathBuf};

/// An address to listen on.
///
/// ```
/// use canstop::{Address, ListenAddress};
///
/// let addresses = "127.0.0.1:8080, localhost:8081, unix:/run/shop.sock".addresses().unwrap();
/// assert_eq!(addresses[0], Address::Tcp(([127, 0, 0, 1], 8080).into()));
/// assert_eq!(addresses[1], Address::Host("localhost:8081".to_owned()));
/// assert_eq!(addresses[2], Address::Unix("/run/shop.sock".into()));
/// assert_eq!(addresses[2].to_string(), "unix:/run/shop.sock");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// A TCP port of one of this machine's addresses.
    Tcp(SocketAddr),
    /// A TCP port of a host name to resolve, as `host:port`.
    Host(String),
    /// A Unix socket.
    Unix(PathBuf),
}

/// As [`listen`](super::listen()) reads it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Host(host) => f.write_str(host),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

mod sealed {
    #[expect(unnameable_types, reason = "a trait that others cannot name is one that they cannot implement")]
    pub trait Sealed {}
}

/// The types that [`listen`](super::listen()) accepts as an address. It cannot be implemented outside this crate.
///
/// ```
/// use std::net::{Ipv4Addr, SocketAddr};
///
/// use canstop::ListenAddress;
///
/// /// Any of these can be passed to [`canstop::listen`].
/// fn count(address: impl ListenAddress) -> usize {
///     address.addresses().map_or(0, |addresses| addresses.len())
/// }
///
/// assert_eq!(count("127.0.0.1:8080,[::1]:8080"), 2);
/// assert_eq!(count((Ipv4Addr::LOCALHOST, 8080)), 1);
/// assert_eq!(count(("localhost", 8080)), 1);
/// assert_eq!(count(vec![SocketAddr::from(([127, 0, 0, 1], 8080))]), 1);
/// assert_eq!(count(std::path::Path::new("/run/shop.sock")), 1);
/// assert_eq!("127.0.0.1".addresses().unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no address to listen on",
    note = "write \"host:port\", several with commas between them, a `SocketAddr` or a slice of them, or the path of a \
            Unix socket"
)]
pub trait ListenAddress: sealed::Sealed + Send {
    /// The addresses to listen on.
    ///
    /// # Errors
    ///
    /// If the text cannot be parsed.
    fn addresses(&self) -> io::Result<Vec<Address>>;
}

fn invalid(text: &str, mend: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("cannot listen on {text:?}: {mend}"))
}

fn parse(text: &str) -> io::Result<Address> {
    if let Some(path) = text.strip_prefix("unix:") {
        return match path {
            "" => Err(invalid(text, "a path must follow `unix:`")),
            path => Ok(Address::Unix(path.into())),
        };
    }
    if text.contains('/') && !text.contains("://") {
        return Ok(Address::Unix(text.into()));
    }
    if let Ok(address) = text.parse() {
        return Ok(Address::Tcp(address));
    }
    if text.parse::<IpAddr>().is_ok() {
        return Err(invalid(text, "the port is missing; write `address:port`, an IPv6 address in brackets"));
    }
    match text.rsplit_once(':') {
        Some(("", port)) => Err(invalid(text, &format!("the host is missing; `0.0.0.0:{port}` is every IPv4 address"))),
        Some((host, port)) if port.parse::<u16>().is_ok() && !host.contains(['/', ':']) => {
            Ok(Address::Host(text.to_owned()))
        }
        Some((_, port)) if port.parse::<u16>().is_err() && !text.contains('/') => {
            Err(invalid(text, "the port must be a number from 0 to 65535"))
        }
        _ => Err(invalid(text, "write `host:port`, or the path of a Unix socket with a `/` in it")),
    }
}

impl sealed::Sealed for str {}
impl ListenAddress for str {
    fn addresses(&self) -> io::Result<Vec<Address>> {
        self.split(',').map(|address| parse(address.trim())).collect()
    }
}

impl sealed::Sealed for String {}
impl ListenAddress for String {
    fn addresses(&self) -> io::Result<Vec<Address>> {
        self.as_str().addresses()
    }
}

macro_rules! socket_addresses {
    ($($address:ty),*) => { $(
        impl sealed::Sealed for $address {}
        impl ListenAddress for $address {
            fn addresses(&self) -> io::Result<Vec<Address>> {
                Ok(vec![Address::Tcp((*self).into())])
            }
        }
    )* };
}

socket_addresses!(SocketAddr, SocketAddrV4, SocketAddrV6);
// Each of them, because a host's name may stand before the port as well.
socket_addresses!((IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16), ([u8; 4], u16), ([u16; 8], u16), ([u8; 16], u16));

impl sealed::Sealed for (&str, u16) {}
impl ListenAddress for (&str, u16) {
    fn addresses(&self) -> io::Result<Vec<Address>> {
        let &(host, port) = self;
        match host.parse::<IpAddr>() {
            Ok(address) => (address, port).addresses(),
            Err(_) if host.contains(['/', ':', ',']) => {
                Err(invalid(host, "only the name of a host has a port beside it"))
            }
            Err(_) => Ok(vec![parse(&format!("{host}:{port}"))?]),
        }
    }
}

impl sealed::Sealed for (String, u16) {}
impl ListenAddress for (String, u16) {
    fn addresses(&self) -> io::Result<Vec<Address>> {
        (self.0.as_str(), self.1).addresses()
    }
}

impl sealed::Sealed for [SocketAddr] {}
impl ListenAddress for [SocketAddr] {
    fn addresses(&self) -> io::Result<Vec<Address>> {
        match self {
            [] => Err(io::Error::new(io::ErrorKind::InvalidInput, "cannot listen: the list of addresses is empty")),
            addresses => Ok(addresses.iter().copied().map(Address::Tcp).collect()),
        }
    }
}

impl<const N: usize> sealed::Sealed for [SocketAddr; N] {}
impl<const N: usize> ListenAddress for [SocketAddr; N] {
    fn addresses(&self) -> io::Result<Vec<Address>> {
        self[..].addresses()
    }
}

impl sealed::Sealed for Vec<SocketAddr> {}
impl ListenAddress for Vec<SocketAddr> {
    fn addresses(&self) -> io::Result<Vec<Address>> {
        self[..].addresses()
    }
}

impl sealed::Sealed for Path {}
impl ListenAddress for Path {
    fn addresses(&self) -> io::Result<Vec<Address>> {
        Ok(vec![Address::Unix(self.to_owned())])
    }
}

impl sealed::Sealed for PathBuf {}
impl ListenAddress for PathBuf {
    fn addresses(&self) -> io::Result<Vec<Address>> {
        self.as_path().addresses()
    }
}

impl sealed::Sealed for Address {}
impl ListenAddress for Address {
    fn addresses(&self) -> io::Result<Vec<Address>> {
        Ok(vec![self.clone()])
    }
}

impl<T: sealed::Sealed + ?Sized> sealed::Sealed for &T {}
impl<T: ListenAddress + Sync + ?Sized> ListenAddress for &T {
    fn addresses(&self) -> io::Result<Vec<Address>> {
        T::addresses(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_name_ports_hosts_and_paths() {
        let tcp = |text: &str| Address::Tcp(text.parse().unwrap());
        for (text, expected) in [
            ("127.0.0.1:80", vec![tcp("127.0.0.1:80")]),
            ("[::1]:80", vec![tcp("[::1]:80")]),
            ("127.0.0.1:80, [::1]:80", vec![tcp("127.0.0.1:80"), tcp("[::1]:80")]),
            ("localhost:80", vec![Address::Host("localhost:80".to_owned())]),
            ("/run/http.sock", vec![Address::Unix("/run/http.sock".into())]),
            ("unix:http.sock", vec![Address::Unix("http.sock".into())]),
        ] {
            assert_eq!(text.addresses().unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_host_may_have_its_port_beside_it() {
        let any = |port| vec![Address::Tcp(SocketAddr::from(([0, 0, 0, 0], port)))];
        assert_eq!(("0.0.0.0", 80).addresses().unwrap(), any(80));
        assert_eq!((Ipv4Addr::UNSPECIFIED, 80).addresses().unwrap(), any(80));
        assert_eq!(("::1", 80).addresses().unwrap(), "[::1]:80".addresses().unwrap());
        assert_eq!(("localhost".to_owned(), 80).addresses().unwrap(), "localhost:80".addresses().unwrap());
        for host in ["", "/run/http.sock", "unix:http.sock", "localhost:80", "localhost,127.0.0.1"] {
            assert!((host, 80).addresses().is_err(), "{host}");
        }
    }

    #[test]
    fn the_error_of_an_invalid_address_has_a_remedy() {
        for (text, mend) in [
            ("", "write `host:port`"),
            (":80", "`0.0.0.0:80` is every IPv4 address"),
            ("127.0.0.1", "the port is missing"),
            ("::1", "the port is missing"),
            ("localhost", "write `host:port`"),
            ("localhost:http", "a number from 0 to 65535"),
            ("localhost:65536", "a number from 0 to 65535"),
            ("unix:", "a path must follow"),
            ("http://localhost:80", "write `host:port`"),
        ] {
            let error = text.addresses().expect_err(text);
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{text}");
            assert!(error.to_string().contains(mend), "{text}: {error}");
        }
        assert!(Vec::new().addresses().is_err());
    }
}
