//! canstop
