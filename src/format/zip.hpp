// Reading members of zip archives (.keras, .npz), with limits: archives are hostile. By libzip.
#pragma once

#include "h5score/base/types.hpp"

#include <memory>
#include <string>
#include <vector>

struct zip;

namespace h5score::format {

/// True if a file begins like a zip archive that is not empty.
bool is_zip(base::ByteView head);

class ZipArchive {
 public:
  /// Throws Error(data) where the archive is damaged; messages do not name `path`.
  explicit ZipArchive(const std::string& path);

  [[nodiscard]] bool has(const std::string& name) const;
  /// Names of all members, in the archive's order; throws Error(data) above 10,000.
  [[nodiscard]] std::vector<std::string> names() const;
  /// The whole content of a member. Throws Error(data) naming it where it is absent, encrypted, damaged, larger than
  /// `limit` bytes, or claims to be more than 1100 times as large as what is stored (deflate cannot do better than
  /// 1032).
  [[nodiscard]] base::Bytes read(const std::string& name, base::u64 limit) const;

 private:
  struct Close {
    void operator()(zip* archive) const noexcept;
  };
  std::unique_ptr<zip, Close> archive_;
  base::u64 file_bytes_ = 0;
};

}  // namespace h5score::format
