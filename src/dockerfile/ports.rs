//! The ports of EXPOSE (Dockerfile spec, section 4.3).

use super::refusal::{Stop, bad_value};
use crate::prelude::*;

/// The ports of one word, such as `80`, `80-82/udp` or `127.0.0.1:8080:80`, each as
/// `n/protocol`.
///
/// # Errors
/// As the builder refuses.
pub fn expose(word: &str) -> Result<Vec<String>, Stop> {
    let mut parts = word.rsplitn(3, ':');
    let container = parts.next().unwrap_or_default();
    let host = parts.next().unwrap_or_default();
    let address = parts.next().unwrap_or_default();
    let (port, protocol) = container.split_once('/').unwrap_or((container, ""));
    if port.is_empty() {
        return Err(bad_value(format!("no port specified: {word}<empty>")));
    }
    let protocol = match protocol.to_lowercase().as_str() {
        "" | "tcp" => "tcp",
        "udp" => "udp",
        "sctp" => "sctp",
        other => return Err(bad_value(format!("invalid proto: {other}"))),
    };
    if !is_address(address) {
        return Err(bad_value(format!("invalid IP address: {address}")));
    }
    let (first, last) =
        range(port).ok_or_else(|| bad_value(format!("invalid containerPort: {port}")))?;
    if !host.is_empty() {
        let (from, to) =
            range(host).ok_or_else(|| bad_value(format!("invalid hostPort: {host}")))?;
        // A range of the host may stand for one port.
        if last - first != to - from && last != first {
            return Err(bad_value(format!(
                "invalid ranges specified for container and host Ports: {port} and {host}"
            )));
        }
    }
    // The builder counts in 16 bits, in which all ports together are none.
    let count = (last - first).wrapping_add(1);
    let ports = (0..count).map(|n| format!("{}/{protocol}", first.saturating_add(n)));
    Ok(ports.collect())
}

/// `n` or `n-m`.
fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first, last))
}

fn number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Whether it is an IP address, with brackets or without, or nothing.
fn is_address(text: &str) -> bool {
    let inner = match text.strip_prefix('[') {
        Some(rest) => match rest.strip_suffix(']') {
            Some(inner) => inner,
            None => return false,
        },
        None => text,
    };
    let plain = inner.split_once('%').map_or(inner, |(plain, _)| plain);
    inner.is_empty() || plain.parse::<core::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_ports() {
        for (word, ports) in [
            ("80", &["80/tcp"][..]),
            ("080/UDP", &["80/udp"]),
            ("80-82", &["80/tcp", "81/tcp", "82/tcp"]),
            ("127.0.0.1:8080-8090:80/sctp", &["80/sctp"]),
            ("[::1]:1:2", &["2/tcp"]),
            ("0-65535", &[]),
        ] {
            assert_eq!(
                expose(word),
                Ok(ports.iter().map(|p| p.to_string()).collect())
            );
        }
        for word in [
            "", "x", "+1", "65536", "10-5", "80/foo", "1-2:1-3", "x:1:2", "/tcp", "1-2-3",
        ] {
            assert!(expose(word).is_err(), "{word}");
        }
    }
}
