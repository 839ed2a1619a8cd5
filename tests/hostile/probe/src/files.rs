//! Files, through the raw descriptors.

use serde::Deserialize;
use serde_json::{Value, json};
use wasip2::filesystem::preopens;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags, filesystem_error_code};
use wasip2::io::streams::StreamError;

use crate::Outcome;

/// How much is written at a time; a stream takes at least this much.
const PIECE_BYTES: usize = 4096;

/// One operation on a path below a preopened directory.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    does: Does,
    /// The directory; the first one where it is not said.
    at: Option<String>,
    /// The path, raw.
    #[serde(default)]
    path: String,
    /// The directory and the path of an operation on two places.
    to_at: Option<String>,
    #[serde(default)]
    to: String,
    /// Whether a link at the end of the path is followed.
    #[serde(default)]
    follow: bool,
    #[serde(default)]
    offset: u64,
    /// How many bytes to read or write, or how large to make the file.
    #[serde(default)]
    size: u64,
    /// What to write; `size` bytes of `x` where there is none.
    text: Option<String>,
    /// How often to try again while it fails: for races.
    #[serde(default)]
    times: u32,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Does {
    Stat,
    MetadataHash,
    List,
    /// Lists the granted directory itself, not one that was opened below it.
    ListTop,
    Read,
    /// Reads over and over, and answers every different text that it saw.
    ReadMany,
    Open,
    /// Opens and keeps it open.
    Hold,
    Write,
    WriteStream,
    Append,
    Truncate,
    /// Opens with the flag that empties a file.
    OpenEmpty,
    SetSize,
    Create,
    Touch,
    TouchOpen,
    Sync,
    Mkdir,
    Rmdir,
    Unlink,
    Rename,
    Link,
    Symlink,
    Readlink,
}

/// A file that stays open.
#[expect(dead_code, reason = "it is held, not used")]
pub(crate) struct Open(Descriptor);

pub(crate) fn preopens() -> Value {
    preopens::get_directories().into_iter().map(|(_, name)| Value::from(name)).collect()
}

fn directory(name: Option<&str>) -> Result<Descriptor, String> {
    let mut all = preopens::get_directories().into_iter();
    let found = all.find(|(_, other)| name.is_none_or(|name| name == other));
    found.map(|(descriptor, _)| descriptor).ok_or_else(|| "no such directory is open".to_owned())
}

impl File {
    pub(crate) fn run(mut self, held: &mut Vec<Open>) -> Outcome {
        // JSON carries no zero bytes to a tool; its picture stands for it.
        for path in [&mut self.path, &mut self.to] {
            *path = path.replace('\u{2400}', "\0");
        }
        let directory = directory(self.at.as_deref())?;
        match self.does {
            Does::Hold => self.open(&directory, OpenFlags::empty(), DescriptorFlags::READ).map(|file| {
                held.push(Open(file));
                Value::Null
            }),
            Does::ReadMany => Ok(self.read_many(&directory)),
            _ => self.once(&directory).map_err(name),
        }
    }

    fn once(&self, directory: &Descriptor) -> Result<Value, ErrorCode> {
        let path = &self.path;
        match self.does {
            Does::Stat => {
                let stat = directory.stat_at(self.follows(), path)?;
                Ok(json!({"type": format!("{:?}", stat.type_), "size": stat.size, "links": stat.link_count}))
            }
            Does::MetadataHash => directory.metadata_hash_at(self.follows(), path).map(|hash| json!(hash.lower)),
            Does::List => Self::list(&self.open_as(directory, OpenFlags::DIRECTORY, DescriptorFlags::READ)?),
            Does::ListTop => Self::list(directory),
            Does::Read => self.read(directory).map(Value::from),
            Does::Open => self.open_as(directory, OpenFlags::empty(), DescriptorFlags::READ).map(nothing),
            Does::Write | Does::WriteStream | Does::Append => self.write(directory).map(Value::from),
            Does::Truncate | Does::SetSize => {
                self.open_as(directory, OpenFlags::empty(), DescriptorFlags::WRITE)?.set_size(self.size).map(nothing)
            }
            Does::OpenEmpty => self.open_as(directory, OpenFlags::TRUNCATE, DescriptorFlags::READ).map(nothing),
            Does::Create => self.open_as(directory, OpenFlags::CREATE, DescriptorFlags::READ).map(nothing),
            Does::Touch => directory.set_times_at(self.follows(), path, NewTimestamp::Now, NewTimestamp::Now).map(nothing),
            Does::TouchOpen => self
                .open_as(directory, OpenFlags::empty(), DescriptorFlags::READ)?
                .set_times(NewTimestamp::Now, NewTimestamp::Now)
                .map(nothing),
            Does::Sync => self.open_as(directory, OpenFlags::empty(), DescriptorFlags::READ)?.sync().map(nothing),
            Does::Mkdir => directory.create_directory_at(path).map(nothing),
            Does::Rmdir => directory.remove_directory_at(path).map(nothing),
            Does::Unlink => directory.unlink_file_at(path).map(nothing),
            Does::Rename => directory.rename_at(path, &self.other()?, &self.to).map(nothing),
            Does::Link => directory.link_at(self.follows(), path, &self.other()?, &self.to).map(nothing),
            Does::Symlink => directory.symlink_at(path, &self.to).map(nothing),
            Does::Readlink => directory.readlink_at(path).map(Value::from),
            Does::Hold | Does::ReadMany => Err(ErrorCode::Unsupported),
        }
    }

    fn follows(&self) -> PathFlags {
        if self.follow { PathFlags::SYMLINK_FOLLOW } else { PathFlags::empty() }
    }

    fn other(&self) -> Result<Descriptor, ErrorCode> {
        directory(self.to_at.as_deref().or(self.at.as_deref())).map_err(|_| ErrorCode::BadDescriptor)
    }

    fn open_as(&self, directory: &Descriptor, how: OpenFlags, flags: DescriptorFlags) -> Result<Descriptor, ErrorCode> {
        directory.open_at(self.follows(), &self.path, how, flags)
    }

    fn open(&self, directory: &Descriptor, how: OpenFlags, flags: DescriptorFlags) -> Result<Descriptor, String> {
        self.open_as(directory, how, flags).map_err(name)
    }

    fn list(directory: &Descriptor) -> Result<Value, ErrorCode> {
        let entries = directory.read_directory()?;
        let mut names = Vec::new();
        while let Some(entry) = entries.read_directory_entry()? {
            names.push(entry.name);
        }
        names.sort_unstable();
        Ok(names.into())
    }

    fn read(&self, directory: &Descriptor) -> Result<String, ErrorCode> {
        let file = self.open_as(directory, OpenFlags::empty(), DescriptorFlags::READ)?;
        let (bytes, _) = file.read(self.size.max(1 << 10), self.offset)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn read_many(&self, directory: &Descriptor) -> Value {
        let mut seen = std::collections::BTreeSet::new();
        let mut opened = 0;
        for _ in 0..self.times.max(1) {
            if let Ok(text) = self.read(directory) {
                opened += 1;
                seen.insert(text);
            }
        }
        json!({"opened": opened, "seen": seen})
    }

    /// How many bytes were taken.
    fn write(&self, directory: &Descriptor) -> Result<u64, ErrorCode> {
        let flags = DescriptorFlags::WRITE | DescriptorFlags::READ;
        let file = self.open_as(directory, OpenFlags::CREATE, flags)?;
        let bytes =
            self.text.as_ref().map_or_else(|| vec![b'x'; usize::try_from(self.size).unwrap_or(0)], |text| text.clone().into_bytes());
        if self.does == Does::Write {
            let mut written = 0;
            while (written as usize) < bytes.len() {
                written += file.write(&bytes[written as usize..], self.offset + written)?;
            }
            return Ok(written);
        }
        let stream = if self.does == Does::Append { file.append_via_stream()? } else { file.write_via_stream(self.offset)? };
        for piece in bytes.chunks(PIECE_BYTES) {
            stream.blocking_write_and_flush(piece).map_err(|error| match error {
                StreamError::Closed => ErrorCode::Pipe,
                StreamError::LastOperationFailed(error) => filesystem_error_code(&error).unwrap_or(ErrorCode::Io),
            })?;
        }
        Ok(bytes.len() as u64)
    }
}

fn name(code: ErrorCode) -> String {
    code.name().to_owned()
}

fn nothing<T>(_: T) -> Value {
    Value::Null
}
