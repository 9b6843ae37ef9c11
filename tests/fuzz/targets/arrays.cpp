// numpy's arrays, alone and in archives, as `convert --reference` reads them.
#include "h5score/format/convert.hpp"

#include "format/zip.hpp"
#include "fuzz/target.hpp"

namespace h5score::fuzz {
namespace {

// Members that are no arrays, too, as a .keras archive has them.
void read_members(const std::string& path) {
  constexpr base::u64 limit = base::u64{64} << 20;
  try {
    const format::ZipArchive archive(path);
    for (const auto& name : archive.names()) static_cast<void>(archive.read(name, limit));
  } catch (const base::Error& error) {
    throw error.in(path);
  }
}

}  // namespace

Outcome run(base::ByteView bytes) {
  static const InputFile file("fuzz.npz");
  file.write(bytes);
  if (format::is_zip(bytes)) static_cast<void>(refusing(file.path(), [&] { read_members(file.path()); }));
  return refusing(file.path(), [&] { static_cast<void>(format::read_reference(file.path())); });
}

std::vector<base::Bytes> seeds() {
  return {};
}

}  // namespace h5score::fuzz
