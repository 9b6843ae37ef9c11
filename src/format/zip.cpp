// Zip archives by libzip.
#include "zip.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/inflated.hpp"
#include "h5score/base/narrow.hpp"

#include "printable.hpp"

#include <zip.h>

#include <filesystem>
#include <string_view>

namespace h5score::format {
namespace {

using base::Error;
using base::ExitCode;
using base::u64;

struct CloseMember {
  void operator()(zip_file_t* file) const noexcept { zip_fclose(file); }
};

// The archive's directory may lie about both sizes; memory is taken for what the file can hold at most.
void check_size(const zip_stat_t& stat, u64 limit, u64 file_bytes) {
  const u64 size = stat.size;
  if (stat.comp_size > file_bytes)
    throw Error(ExitCode::data, "it claims to be larger than the archive",
                std::to_string(stat.comp_size) + " stored bytes in a file of " + std::to_string(file_bytes));
  if (size > limit)
    throw Error(ExitCode::data, "it is larger than allowed here",
                std::to_string(size) + " bytes, at most " + std::to_string(limit));
  if (size > base::most_inflated(stat.comp_size))
    throw Error(ExitCode::data, "it claims to be larger than its stored bytes can hold",
                std::to_string(size) + " bytes from " + std::to_string(stat.comp_size));
}

}  // namespace

bool is_zip(base::ByteView head) {
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  return text.starts_with("PK\x03\x04");
}

void ZipArchive::Close::operator()(zip* archive) const noexcept {
  zip_discard(archive);
}

ZipArchive::ZipArchive(const std::string& path) {
  int code = 0;
  archive_.reset(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (archive_) {
    file_bytes_ = std::filesystem::file_size(path);
    return;
  }
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  const std::string why = zip_error_strerror(&error);
  zip_error_fini(&error);
  throw Error(ExitCode::data, "the zip archive cannot be read", why);
}

bool ZipArchive::has(const std::string& name) const {
  return zip_name_locate(archive_.get(), name.c_str(), ZIP_FL_ENC_GUESS) >= 0;
}

std::vector<std::string> ZipArchive::names() const {
  constexpr zip_int64_t most = 10'000;
  const zip_int64_t n = zip_get_num_entries(archive_.get(), 0);
  if (n > most) throw Error(ExitCode::data, "the zip archive has " + std::to_string(n) + " members");
  std::vector<std::string> result;
  for (zip_int64_t i = 0; i < n; ++i) {
    const char* name = zip_get_name(archive_.get(), base::narrow<zip_uint64_t>(i), ZIP_FL_ENC_GUESS);
    if (name != nullptr) result.emplace_back(name);
  }
  return result;
}

base::Bytes ZipArchive::read(const std::string& name, u64 limit) const {
  try {
    const zip_int64_t index = zip_name_locate(archive_.get(), name.c_str(), ZIP_FL_ENC_GUESS);
    if (index < 0) throw Error(ExitCode::data, "it is missing from the archive");
    const auto member = base::narrow<zip_uint64_t>(index);
    zip_stat_t stat;
    constexpr zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
    if (zip_stat_index(archive_.get(), member, 0, &stat) != 0 || (stat.valid & needed) != needed)
      throw Error(ExitCode::data, "its size is unknown");
    check_size(stat, limit, file_bytes_);
    const std::unique_ptr<zip_file_t, CloseMember> file(zip_fopen_index(archive_.get(), member, 0));
    if (!file) throw Error(ExitCode::data, "it cannot be read", zip_strerror(archive_.get()));
    base::Bytes bytes(stat.size);
    u64 got = 0;
    for (;;) {
      // One byte more than it claims: its end is where libzip compares the checksum.
      std::byte beyond{};
      const bool full = got == bytes.size();
      const zip_int64_t n =
          full ? zip_fread(file.get(), &beyond, 1) : zip_fread(file.get(), bytes.data() + got, bytes.size() - got);
      if (n < 0) throw Error(ExitCode::data, "it is damaged", zip_file_strerror(file.get()));
      if (full != (n == 0)) throw Error(ExitCode::data, "it is damaged", "its size is not what the archive says");
      if (full) return bytes;
      got += base::narrow<u64>(n);
    }
  } catch (const Error& e) {
    throw e.in(shown(name));
  }
}

}  // namespace h5score::format
