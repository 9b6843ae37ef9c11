// Views: checked early, made in the name node, written under a temporary name, renamed when complete.
#include "h5score/storage/score_view.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/base/output_path.hpp"
#include "h5score/storage/posix_file.hpp"

#include "view_writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;

constexpr const char* request_name = "storage.make_view";

base::Bytes make_handler(base::ByteView bytes) {
  const auto spec = base::from_bytes<ViewSpec>(bytes);
  h5::Sandbox::step(~u64{0});  // one of any number of files and columns that were opened before
  return base::to_bytes(make_view(spec));
}

}  // namespace

void check_view(const std::string& path, bool overwrite) {
  if (!overwrite && ::access(path.c_str(), F_OK) == 0)
    throw Error(ExitCode::cant_create, path + ": exists already", {}, "choose another name or add --overwrite");
  base::check_creatable(path);
}

std::vector<std::string> write_view(h5::Sandbox& name_node, const ViewSpec& spec, bool overwrite) {
  PosixFile file;
  try {
    check_view(spec.path, overwrite);
    auto& calls = PosixCalls::system();
    file = PosixFile(calls, base::free_temporary(spec.path), O_RDWR | O_CREAT | O_EXCL);
    auto view = base::from_bytes<View>(name_node.call(request_name, base::to_bytes(spec), spec.path));
    file.write(view.file, 0);
    file.sync_all();
    if (!file.rename(spec.path, overwrite))
      throw Error(ExitCode::cant_create, spec.path + ": appeared during the run", {}, "remove it or add --overwrite");
    file.close();
    sync_folder(calls, folder_of(spec.path));
    return std::move(view.notes);
  } catch (const Error& error) {
    if (file && file.is_at_path() && file.path() != spec.path) static_cast<void>(::unlink(file.path().c_str()));
    throw Error(ExitCode::cant_create, "the view cannot be written", error.what(), "the scores are not affected");
  }
}

std::map<std::string, h5::Sandbox::Function> view_functions() {
  return {{request_name, make_handler}};
}

}  // namespace h5score::storage
