// System calls that fail, stop short or forget, as tests of the score file need them.
#pragma once

#include "h5score/storage/posix_file.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace h5score::storage::testing {

/// Fails the calls it is told to; counts down to a failing pwrite.
class FaultyCalls : public PosixCalls {
 public:
  ssize_t pwrite(int fd, const void* data, std::size_t size, off_t offset) override {
    if (writes_before_failure-- == 0) return fail(write_error);
    if (short_and_interrupted) {
      interrupt_ = !interrupt_;
      if (interrupt_) return fail(EINTR);
      size = std::min<std::size_t>(size, 333);
    }
    return PosixCalls::pwrite(fd, data, size, offset);
  }
  ssize_t pread(int fd, void* data, std::size_t size, off_t offset) override {
    return PosixCalls::pread(fd, data, short_and_interrupted ? std::min<std::size_t>(size, 77) : size, offset);
  }
  int open(const char* path, int flags, mode_t mode) override {
    return open_error != 0 ? fail(open_error) : PosixCalls::open(path, flags, mode);
  }
  int fdatasync(int fd) override { return sync_error != 0 ? fail(sync_error) : PosixCalls::fdatasync(fd); }
  int fsync(int fd) override { return sync_error != 0 ? fail(sync_error) : PosixCalls::fsync(fd); }
  int fallocate(int fd, off_t size) override {
    return reserve_error != 0 ? fail(reserve_error) : PosixCalls::fallocate(fd, size);
  }
  int fstatvfs(int fd, struct statvfs* status) override {
    const int result = PosixCalls::fstatvfs(fd, status);
    if (no_space) status->f_bavail = 1;
    return result;
  }
  int rename(const char* from, const char* to, unsigned flags) override {
    return no_rename_flags && flags != 0 ? fail(EINVAL) : PosixCalls::rename(from, to, flags);
  }
  int lock(int fd) override { return lock_error != 0 ? fail(lock_error) : PosixCalls::lock(fd); }

  long writes_before_failure = -1;
  int write_error = EIO;
  bool short_and_interrupted = false;
  bool no_space = false;
  bool no_rename_flags = false;
  int open_error = 0;
  int sync_error = 0;
  int reserve_error = 0;
  int lock_error = 0;

 private:
  static int fail(int reason) {
    errno = reason;
    return -1;
  }
  bool interrupt_ = false;
};

/// A disk that may forget, when the power goes, any part of what was written since the last sync began.
class ForgetfulDisk : public PosixCalls {
 public:
  explicit ForgetfulDisk(bool syncs_lie = false) : syncs_lie_(syncs_lie) {}

  ssize_t pwrite(int fd, const void* data, std::size_t size, off_t offset) override {
    const std::lock_guard guard(mutex_);
    Write before{offset, std::string(size, '\0')};
    EXPECT_EQ(PosixCalls::pread(fd, before.old.data(), size, offset), static_cast<ssize_t>(size));
    unsynced_.push_back(std::move(before));
    return PosixCalls::pwrite(fd, data, size, offset);
  }
  /// The first one makes the new file safe, whatever later ones do: without its metadata nothing could be judged.
  int fsync(int /*fd*/) override {
    const std::lock_guard guard(mutex_);
    if (!syncs_lie_ || !std::exchange(made_, true)) unsynced_.clear();
    return 0;
  }
  int fdatasync(int /*fd*/) override {
    std::unique_lock guard(mutex_);
    const auto before = static_cast<std::ptrdiff_t>(unsynced_.size());
    guard.unlock();  // what is written while a sync runs may or may not be in it: here it is not
    std::this_thread::yield();
    guard.lock();
    if (!syncs_lie_) unsynced_.erase(unsynced_.begin(), unsynced_.begin() + before);
    ++syncs_;
    synced_.notify_all();
    return 0;
  }

  [[nodiscard]] u64 syncs() {
    const std::lock_guard guard(mutex_);
    return syncs_;
  }
  /// Gives a sync the time to end; none may be on its way.
  void wait_for_more_syncs_than(u64 syncs) {
    std::unique_lock guard(mutex_);
    synced_.wait_for(guard, std::chrono::milliseconds(20), [&] { return syncs_ > syncs; });
  }

  /// Takes back, of each unsynced write, nothing, all or a part from some multiple of 8 bytes on.
  void lose_power(const std::string& path, std::mt19937& random) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    for (auto write = unsynced_.rbegin(); write != unsynced_.rend(); ++write) {
      const std::size_t begin = std::uniform_int_distribution<std::size_t>(0, write->old.size())(random) / 8 * 8;
      if (random() % 3 == 0) continue;
      file.seekp(write->offset + static_cast<std::streamoff>(begin));
      file.write(write->old.data() + begin, static_cast<std::streamsize>(write->old.size() - begin));
    }
    ASSERT_TRUE(file.flush().good());
  }

 private:
  struct Write {
    off_t offset;
    std::string old;
  };
  bool syncs_lie_;
  bool made_ = false;
  std::mutex mutex_;
  std::condition_variable synced_;
  u64 syncs_ = 0;
  std::vector<Write> unsynced_;
};

}  // namespace h5score::storage::testing
