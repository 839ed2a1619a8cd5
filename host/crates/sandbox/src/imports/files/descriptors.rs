//! `wasi:filesystem`, function by function: what has to be asked first, then
//! WASI's own implementation.

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream, ErrorCode, Filesize, Host,
    HostDescriptor, HostDirectoryEntryStream, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

use super::quota::{self, Charge, Metered};
use super::{LISTED_MAX, PATH_BYTES_MAX, View};

type Fd = Resource<Descriptor>;

/// The same descriptor once more, for a question before the operation.
fn again(fd: &Fd) -> Fd {
    Resource::new_borrow(fd.rep())
}

fn check_path(path: &str) -> FsResult<()> {
    if path.len() > PATH_BYTES_MAX { Err(ErrorCode::NameTooLong.into()) } else { Ok(()) }
}

impl View<'_> {
    /// Counts what is about to be written below a directory. None where the
    /// descriptor is only read: WASI refuses the operation itself.
    async fn charge(&mut self, fd: &Fd, bytes: u64) -> FsResult<Option<Charge>> {
        let Some(quota) = self.files.mount(fd.rep()).and_then(|mount| mount.quota.as_ref()) else { return Ok(None) };
        let (ledger, bytes_max) = (quota.ledger.clone(), quota.bytes_max);
        match ledger.charge(bytes, bytes_max).await {
            Some(charge) => Ok(Some(charge)),
            None => {
                self.files.tell(fd.rep(), "quota", &quota::over(bytes_max));
                Err(ErrorCode::InsufficientSpace.into())
            }
        }
    }

    /// What was removed or cut short makes room, once it has been counted again.
    fn freed(&mut self, fd: &Fd) {
        if let Some(quota) = self.files.mount(fd.rep()).and_then(|mount| mount.quota.as_ref()) {
            quota.ledger.freed();
        }
    }

    /// How large an open file is.
    fn size(&self, fd: &Fd) -> FsResult<u64> {
        match self.wasi.table.get(fd)? {
            Descriptor::File(file) => Ok(file.file.metadata()?.len()),
            Descriptor::Dir(_) => Err(ErrorCode::IsDirectory.into()),
        }
    }

    /// Opening a pipe waits for somebody at its other end, on a thread of the
    /// host that nothing can interrupt; opening a device may do anything.
    async fn check_kind(&mut self, fd: &Fd, flags: PathFlags, path: &str) -> FsResult<()> {
        let Ok(stat) = self.wasi.stat_at(again(fd), flags, path.to_owned()).await else { return Ok(()) };
        match stat.type_ {
            DescriptorType::RegularFile | DescriptorType::Directory | DescriptorType::SymbolicLink => Ok(()),
            DescriptorType::Unknown
            | DescriptorType::BlockDevice
            | DescriptorType::CharacterDevice
            | DescriptorType::Fifo
            | DescriptorType::Socket => {
                self.files.tell(fd.rep(), "kind", "it is neither a file nor a directory, and no plugin opens anything else");
                Err(ErrorCode::NotPermitted.into())
            }
        }
    }

    /// Between two directories nothing is moved or linked: each has a quota of its own.
    fn check_same_mount(&self, one: &Fd, other: &Fd) -> FsResult<()> {
        let mount = |fd: &Fd| self.files.below.get(&fd.rep());
        if mount(one) == mount(other) { Ok(()) } else { Err(ErrorCode::CrossDevice.into()) }
    }

    /// A stream into a file, with what it writes counted.
    fn metered(&mut self, fd: &Fd, stream: Resource<DynOutputStream>, hole: u64) -> FsResult<Resource<DynOutputStream>> {
        let Some(quota) = self.files.mount(fd.rep()).and_then(|mount| mount.quota.as_ref()) else { return Ok(stream) };
        let (ledger, bytes_max) = (quota.ledger.clone(), quota.bytes_max);
        let inner = self.wasi.table.delete(stream)?;
        let metered: DynOutputStream = Box::new(Metered::new(inner, ledger, bytes_max, hole));
        Ok(self.wasi.table.push(metered)?)
    }
}

impl preopens::Host for View<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Fd, String)>> {
        let directories = preopens::Host::get_directories(&mut self.wasi)?;
        for (fd, name) in &directories {
            let mount = self.files.mounts.iter().position(|mount| mount.name == *name);
            self.files.below.extend(mount.map(|mount| (fd.rep(), mount)));
        }
        Ok(directories)
    }
}

impl Host for View<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        self.wasi.convert_error_code(error)
    }

    fn filesystem_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        self.wasi.filesystem_error_code(error)
    }
}

impl HostDescriptor for View<'_> {
    async fn open_at(&mut self, fd: Fd, flags: PathFlags, path: String, how: OpenFlags, mode: DescriptorFlags) -> FsResult<Fd> {
        check_path(&path)?;
        self.check_kind(&fd, flags, &path).await?;
        let entry = if how.contains(OpenFlags::CREATE) { quota::ENTRY_BYTES } else { 0 };
        let writes = entry > 0 || mode.contains(DescriptorFlags::WRITE);
        // Also where nothing is created: a stream can only be refused by a count that is there.
        let _charge = if writes { self.charge(&fd, entry).await? } else { None };
        let opened = self.wasi.open_at(again(&fd), flags, path, how, mode).await?;
        if how.contains(OpenFlags::TRUNCATE) {
            self.freed(&fd);
        }
        if let Some(mount) = self.files.below.get(&fd.rep()).copied() {
            self.files.below.insert(opened.rep(), mount);
        }
        Ok(opened)
    }

    async fn write(&mut self, fd: Fd, bytes: Vec<u8>, offset: Filesize) -> FsResult<Filesize> {
        // What lies between the end and the offset becomes a hole, and counts like what it can hold.
        let hole = offset.saturating_sub(self.size(&fd)?);
        let _charge = self.charge(&fd, hole.saturating_add(bytes.len() as u64)).await?;
        self.wasi.write(fd, bytes, offset).await
    }

    fn write_via_stream(&mut self, fd: Fd, offset: Filesize) -> FsResult<Resource<DynOutputStream>> {
        let hole = offset.saturating_sub(self.size(&fd)?);
        let stream = self.wasi.write_via_stream(again(&fd), offset)?;
        self.metered(&fd, stream, hole)
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        let stream = self.wasi.append_via_stream(again(&fd))?;
        self.metered(&fd, stream, 0)
    }

    async fn set_size(&mut self, fd: Fd, size: Filesize) -> FsResult<()> {
        let before = self.size(&fd)?;
        let _charge = self.charge(&fd, size.saturating_sub(before)).await?;
        self.wasi.set_size(again(&fd), size).await?;
        if size < before {
            self.freed(&fd);
        }
        Ok(())
    }

    async fn create_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        check_path(&path)?;
        let _charge = self.charge(&fd, quota::ENTRY_BYTES).await?;
        self.wasi.create_directory_at(fd, path).await
    }

    async fn symlink_at(&mut self, fd: Fd, from: String, to: String) -> FsResult<()> {
        check_path(&from)?;
        check_path(&to)?;
        let _charge = self.charge(&fd, quota::ENTRY_BYTES).await?;
        self.wasi.symlink_at(fd, from, to).await
    }

    async fn link_at(&mut self, fd: Fd, flags: PathFlags, from: String, other: Fd, to: String) -> FsResult<()> {
        check_path(&from)?;
        check_path(&to)?;
        self.check_same_mount(&fd, &other)?;
        // A file with two names counts twice, as it is counted when it is counted again.
        let size = self.wasi.stat_at(again(&fd), flags, from.clone()).await.map_or(0, |stat| stat.size);
        let _charge = self.charge(&other, size.saturating_add(quota::ENTRY_BYTES)).await?;
        self.wasi.link_at(fd, flags, from, other, to).await
    }

    async fn rename_at(&mut self, fd: Fd, from: String, other: Fd, to: String) -> FsResult<()> {
        check_path(&from)?;
        check_path(&to)?;
        self.check_same_mount(&fd, &other)?;
        self.wasi.rename_at(again(&fd), from, other, to).await?;
        self.freed(&fd);
        Ok(())
    }

    async fn remove_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        check_path(&path)?;
        self.wasi.remove_directory_at(again(&fd), path).await?;
        self.freed(&fd);
        Ok(())
    }

    async fn unlink_file_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        check_path(&path)?;
        self.wasi.unlink_file_at(again(&fd), path).await?;
        self.freed(&fd);
        Ok(())
    }

    async fn read_directory(&mut self, fd: Fd) -> FsResult<Resource<DirectoryEntryStream>> {
        let directory = match self.wasi.table.get(&fd)? {
            Descriptor::Dir(dir) => dir.dir.clone(),
            Descriptor::File(_) => return Err(ErrorCode::NotDirectory.into()),
        };
        let left = LISTED_MAX.saturating_sub(self.files.listed);
        let entries = quota::entries(directory, left).await?;
        if entries > left {
            self.files.tell(fd.rep(), "listed", &format!("its listings hold more than {LISTED_MAX} entries"));
            return Err(ErrorCode::InsufficientMemory.into());
        }
        self.files.listed += entries;
        self.wasi.read_directory(fd).await
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        self.files.below.remove(&fd.rep());
        HostDescriptor::drop(&mut self.wasi, fd)
    }

    // What only looks, or changes no size: WASI's own, with a bound on the path.

    async fn stat_at(&mut self, fd: Fd, flags: PathFlags, path: String) -> FsResult<DescriptorStat> {
        check_path(&path)?;
        self.wasi.stat_at(fd, flags, path).await
    }

    async fn set_times_at(&mut self, fd: Fd, flags: PathFlags, path: String, read: NewTimestamp, changed: NewTimestamp) -> FsResult<()> {
        check_path(&path)?;
        self.wasi.set_times_at(fd, flags, path, read, changed).await
    }

    async fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        check_path(&path)?;
        self.wasi.readlink_at(fd, path).await
    }

    async fn metadata_hash_at(&mut self, fd: Fd, flags: PathFlags, path: String) -> FsResult<MetadataHashValue> {
        check_path(&path)?;
        self.wasi.metadata_hash_at(fd, flags, path).await
    }

    async fn advise(&mut self, fd: Fd, offset: Filesize, len: Filesize, advice: Advice) -> FsResult<()> {
        self.wasi.advise(fd, offset, len, advice).await
    }

    async fn sync_data(&mut self, fd: Fd) -> FsResult<()> {
        self.wasi.sync_data(fd).await
    }

    async fn sync(&mut self, fd: Fd) -> FsResult<()> {
        self.wasi.sync(fd).await
    }

    async fn get_flags(&mut self, fd: Fd) -> FsResult<DescriptorFlags> {
        self.wasi.get_flags(fd).await
    }

    async fn get_type(&mut self, fd: Fd) -> FsResult<DescriptorType> {
        self.wasi.get_type(fd).await
    }

    async fn set_times(&mut self, fd: Fd, read: NewTimestamp, changed: NewTimestamp) -> FsResult<()> {
        self.wasi.set_times(fd, read, changed).await
    }

    async fn read(&mut self, fd: Fd, len: Filesize, offset: Filesize) -> FsResult<(Vec<u8>, bool)> {
        self.wasi.read(fd, len, offset).await
    }

    fn read_via_stream(&mut self, fd: Fd, offset: Filesize) -> FsResult<Resource<DynInputStream>> {
        self.wasi.read_via_stream(fd, offset)
    }

    async fn stat(&mut self, fd: Fd) -> FsResult<DescriptorStat> {
        self.wasi.stat(fd).await
    }

    async fn is_same_object(&mut self, one: Fd, other: Fd) -> wasmtime::Result<bool> {
        self.wasi.is_same_object(one, other).await
    }

    async fn metadata_hash(&mut self, fd: Fd) -> FsResult<MetadataHashValue> {
        self.wasi.metadata_hash(fd).await
    }
}

impl HostDirectoryEntryStream for View<'_> {
    async fn read_directory_entry(&mut self, stream: Resource<DirectoryEntryStream>) -> FsResult<Option<DirectoryEntry>> {
        self.wasi.read_directory_entry(stream).await
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        HostDirectoryEntryStream::drop(&mut self.wasi, stream)
    }
}
