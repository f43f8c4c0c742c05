//! The signals of STOPSIGNAL (Dockerfile spec, section 4.4).

use crate::prelude::*;

const NAMES: &str = "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR \
     QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ \
     RTMIN RTMAX";

/// Whether the engine accepts it: a number other than 0, or a name with or without
/// `SIG`.
pub fn is_known(signal: &str) -> bool {
    if let Ok(number) = signal.parse::<i64>() {
        return number != 0;
    }
    let upper = signal.to_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let real_time = |start: &str, most: u8| {
        let offset = name.strip_prefix(start);
        offset.is_some_and(|offset| (1..=most).any(|n| offset == n.to_string()))
    };
    NAMES.split(' ').any(|known| known == name)
        || real_time("RTMIN+", 15)
        || real_time("RTMAX-", 14)
}
