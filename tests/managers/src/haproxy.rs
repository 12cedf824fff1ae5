//! What every configuration of HAProxy here begins with.

/// Its section of defaults. A request that fails is not tried again.
pub const HAPROXY_DEFAULTS: &str = "\
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout check 2s
  retries 0
";
