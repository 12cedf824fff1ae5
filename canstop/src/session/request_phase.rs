//! The phases of a request.

/// Who acts next on a connection, or for one request of an HTTP/2 connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// The client has sent nothing yet.
    Fresh,
    /// The last request was answered.
    Idle,
    /// A part of a request's head has come.
    Head,
    /// The handler runs.
    Handler,
    /// The handler waits for the client's body.
    Receiving,
    /// The handler's answer has begun, and it makes the rest of the body.
    Body,
    /// The answer is written as fast as the client reads it.
    Sending,
    /// It no longer speaks HTTP, and the task that has it is no session.
    Upgraded,
}

impl Phase {
    pub(super) fn from_bits(bits: u8) -> Self {
        const PHASES: [Phase; 8] = [
            Phase::Fresh,
            Phase::Idle,
            Phase::Head,
            Phase::Handler,
            Phase::Receiving,
            Phase::Body,
            Phase::Sending,
            Phase::Upgraded,
        ];
        PHASES[usize::from(bits)]
    }

    /// Returns true if code of the user's acts next.
    pub(crate) fn is_running(self) -> bool {
        matches!(self, Self::Handler | Self::Body)
    }

    pub(super) fn is_request(self) -> bool {
        matches!(self, Self::Handler | Self::Receiving | Self::Body | Self::Sending | Self::Upgraded)
    }
}
