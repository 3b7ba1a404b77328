//! Lines of the log that nobody can forge: what a name of a file or a person writes into
//! it stays in the line of its event.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

/// Writes events to standard error, each as one line.
pub(super) struct Lines {
    /// The line has colours of its own; tracing keeps those of others out.
    pub(super) coloured: bool,
}

impl<'w> MakeWriter<'w> for Lines {
    type Writer = Line<io::Stderr>;

    fn make_writer(&'w self) -> Self::Writer {
        Line {
            to: io::stderr(),
            coloured: self.coloured,
        }
    }
}

/// One event: tracing writes it at once.
pub(super) struct Line<W> {
    to: W,
    coloured: bool,
}

impl<W: Write> Write for Line<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.to
            .write_all(one_line(&String::from_utf8_lossy(event), self.coloured).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// The event with everything in it escaped that would begin a line, colour or turn one.
fn one_line(event: &str, coloured: bool) -> String {
    let (event, end) = match event.strip_suffix('\n') {
        Some(event) => (event, "\n"),
        None => (event, ""),
    };
    let mut line = String::with_capacity(event.len() + 1);
    for c in event.chars() {
        let own_colour = coloured && c == '\u{1b}';
        if crate::domain::audit::is_deceptive(c) && !own_colour {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line + end
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("bytes").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_name_forges_no_line() {
        let kept = Kept::default();
        let to = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || Line {
                to: to.clone(),
                coloured: false,
            })
            .finish();
        let name =
            "a.mp3\n2026-01-01T00:00:00Z  INFO signed in user=admin\r\u{1b}[2J\u{202e}\u{2028}x";
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(name, "by value");
            tracing::info!(%name, "as it is shown");
            tracing::info!("{name}");
        });
        let text = String::from_utf8(kept.0.lock().expect("bytes").clone()).expect("UTF-8");
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.ends_with('\n'));
        for bad in ['\r', '\u{1b}', '\u{202e}', '\u{2028}'] {
            assert!(!text.contains(bad), "{text:?}");
        }
        assert_eq!(one_line("a\u{1b}[1mb\n", true), "a\u{1b}[1mb\n");
    }
}
