//! A helper process that ends everything below a folder once this process is gone, however it ended.

use std::{
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

/// A shell script that waits until its parent is gone (the parent's end of the pipe closes), then kills the processes
/// that the parent left behind, and removes the folder unless it is to be kept.
///
/// A process id alone does not prove that a process belongs to the parent, because ids are used again. The script kills
/// only processes that work below the folder or carry it in their command line.
const SCRIPT: &str = r#"
cat >/dev/null
tries=0
while [ -e "$VOTESTREAM_GUARDED" ] && [ $tries -lt 50 ]; do
    for file in "$VOTESTREAM_GUARDED"/*/*.pid; do
        [ -e "$file" ] || continue
        read -r pid rest <"$file"
        case $(readlink "/proc/$pid/cwd") in
            "$VOTESTREAM_GUARDED"/*) kill -9 "$pid" ;;
        esac
    done
    for process in /proc/[0-9]*; do
        if grep -qsF -e "$VOTESTREAM_GUARDED" "$process/cmdline"; then
            kill -9 "${process#/proc/}"
        fi
    done
    if [ -z "$VOTESTREAM_KEPT" ]; then
        grep -F " $VOTESTREAM_GUARDED/" /proc/self/mounts | while read -r _ mounted rest; do umount "$mounted"; done
        rm -rf "$VOTESTREAM_GUARDED"
    fi
    tries=$((tries + 1))
    sleep 0.1
done
"#;

/// Runs for as long as this process does, and then clears the folder.
#[derive(Debug)]
pub struct Watchdog {
    /// Its input is open for as long as this process lives.
    _child: Child,
}

impl Watchdog {
    /// Guards a folder: once this process has ended, every process that works below it is killed, and it is removed, unless
    /// it is `kept`.
    ///
    /// # Errors
    /// Returns an error if `sh` cannot be started.
    pub fn over(folder: &Path, kept: bool) -> io::Result<Self> {
        let child = Command::new("sh")
            .args(["-c", SCRIPT])
            .env("VOTESTREAM_GUARDED", folder)
            .env("VOTESTREAM_KEPT", if kept { "1" } else { "" })
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self { _child: child })
    }
}
