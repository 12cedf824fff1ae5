//! Socket calls that neither std nor tokio has.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
#[cfg(any(target_os = "linux", feature = "http"))]
use std::os::fd::BorrowedFd;

/// Reads an integer option of a socket.
pub(super) fn option(socket: &impl AsRawFd, option: libc::c_int) -> io::Result<libc::c_int> {
    read_option(socket, libc::SOL_SOCKET, option)
}

/// How many connections wait in the queue of a listening TCP socket: for such a one, `tcpi_unacked` is that length.
#[cfg(target_os = "linux")]
pub(super) fn queued(listener: &impl AsRawFd) -> io::Result<u64> {
    let info: libc::tcp_info = read_option(listener, libc::IPPROTO_TCP, libc::TCP_INFO)?;
    Ok(info.tcpi_unacked.into())
}

/// What the kernel may write as the value of an option: plain numbers, for which zeros are valid, too.
trait OptionValue: Copy {}
impl OptionValue for libc::c_int {}
#[cfg(target_os = "linux")]
impl OptionValue for libc::tcp_info {}

#[expect(unsafe_code, reason = "std has no such socket options")]
fn read_option<T: OptionValue>(socket: &impl AsRawFd, level: libc::c_int, option: libc::c_int) -> io::Result<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    let mut size = libc::socklen_t::try_from(size_of::<T>()).expect("a value is small");
    // SAFETY: the pointers are to locals of the sizes that are given. The call writes no more than that.
    let result =
        unsafe { libc::getsockopt(socket.as_raw_fd(), level, option, value.as_mut_ptr().cast(), &raw mut size) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is made of numbers, for which zeros are valid, as is what the kernel has written.
    Ok(unsafe { value.assume_init() })
}

/// Makes the kernel ignore new connections on a listening TCP socket. Handshakes in progress complete, and the queue
/// stays. A client that is ignored tries again a second later, so it reaches the next program, or is refused once
/// this socket is closed.
///
/// The filter drops every segment with SYN and without ACK. It sees a segment from its TCP header on, so IPv4 and
/// IPv6 are alike.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "std has no such socket option")]
pub(super) fn ignore_new_connections(listener: BorrowedFd<'_>) -> io::Result<()> {
    /// The offset of the flags in a TCP header.
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const SYN_AND_ACK: u32 = 0x12;

    let code = |code: u32| u16::try_from(code).expect("an instruction's code has 16 bits");
    let instruction = |of: u32, k: u32| libc::sock_filter { code: code(of), jt: 0, jf: 0, k };
    let mut program = [
        instruction(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, FLAGS),
        instruction(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, SYN_AND_ACK),
        // If it is a SYN alone, the next instruction, otherwise the one after.
        libc::sock_filter { code: code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K), jt: 0, jf: 1, k: SYN },
        instruction(libc::BPF_RET | libc::BPF_K, 0),
        instruction(libc::BPF_RET | libc::BPF_K, u32::MAX),
    ];
    let length = u16::try_from(program.len()).expect("a few instructions");
    let program = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    let size = libc::socklen_t::try_from(size_of::<libc::sock_fprog>()).expect("a small struct");
    // SAFETY: the pointers are to a local of the size that is given and to its instructions, and the kernel copies
    // both during the call.
    let result = unsafe {
        let program = (&raw const program).cast();
        libc::setsockopt(listener.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, program, size)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Returns true if the kernel has unread bytes of a connection. It asks the kernel, because the runtime may not have
/// been notified, and needs no further descriptor, because there may be none.
#[cfg(feature = "http")]
#[expect(unsafe_code, reason = "std peeks only through a socket that it owns")]
pub(super) fn has_unread(connection: BorrowedFd<'_>) -> bool {
    let mut byte = 0_u8;
    // SAFETY: the pointer is to one byte, of which the call is given the size.
    let read = unsafe {
        let buffer = (&raw mut byte).cast();
        libc::recv(connection.as_raw_fd(), buffer, 1, libc::MSG_PEEK | libc::MSG_DONTWAIT)
    };
    read > 0
}
