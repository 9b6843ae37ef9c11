// The table of model formats, and what a file that fits none of them probably is.
#include "h5score/base/error.hpp"
#include "h5score/format/format.hpp"
#include "h5score/h5/sandbox.hpp"

#include "keras/keras.hpp"
#include "libsvm.hpp"
#include "native.hpp"
#include "onnx/onnx.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace h5score::format {
namespace {

using base::Error;
using base::ExitCode;
using base::u64;

base::Bytes first_bytes(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    throw Error(ExitCode::no_input, path + ": cannot be opened", base::errno_text(errno));
  if (!S_ISREG(status.st_mode))
    throw Error(ExitCode::no_input, path + ": cannot be opened", "it is not a regular file");
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw Error(ExitCode::no_input, path + ": cannot be opened", base::errno_text(errno));
  base::Bytes bytes(4096);
  stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (stream.bad()) throw Error(ExitCode::io, path + ": cannot be read", base::errno_text(errno));
  bytes.resize(static_cast<std::size_t>(stream.gcount()));
  return bytes;
}

/// Kinds of files that people try, by their first bytes.
struct Stranger {
  std::string_view begin;
  const char* what;
  const char* suggestion;
};

constexpr const char* use_export = "convert it in the Python that made it: scripts/export_sklearn.py MODEL OUT.h5";
constexpr const char* supported =
    "supported are the native HDF5 format (docs/model-format.md), ONNX, Keras and LIBSVM (docs/models.md)";

constexpr Stranger strangers[] = {
    {"\x80\x02", "a Python pickle", use_export},
    {"\x80\x03", "a Python pickle", use_export},
    {"\x80\x04", "a Python pickle", use_export},
    {"\x80\x05", "a Python pickle", use_export},
    {"\x78\x9c", "zlib-compressed, probably a joblib file", use_export},
    {"\x78\x5e", "zlib-compressed, probably a joblib file", use_export},
    {"\x78\x01", "zlib-compressed, probably a joblib file", use_export},
    {"\x78\xda", "zlib-compressed, probably a joblib file", use_export},
    {"\x1f\x8b", "gzip-compressed", "a joblib file needs scripts/export_sklearn.py, a LIBSVM model gunzip"},
    {"BZh", "bzip2-compressed", "a joblib file needs scripts/export_sklearn.py, a LIBSVM model bunzip2"},
    {"\xfd"
     "7zXZ",
     "xz-compressed", "a joblib file needs scripts/export_sklearn.py, a LIBSVM model unxz"},
    {"PK\x03\x04", "a zip archive, but not one of Keras (it has no config.json)",
     "PyTorch models become ONNX files by scripts/export_torch.py"},
    {"solver_type", "a LIBLINEAR model, which cannot be read", supported},
    {"{", "a JSON file, but no description of a Keras network", supported},
};

const Stranger* known_stranger(base::ByteView head) {
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  for (const auto& stranger : strangers)
    if (text.starts_with(stranger.begin)) return &stranger;
  return nullptr;
}

[[noreturn]] void refuse(const std::string& path, base::ByteView head) {
  const std::string problem = path + ": not a model file that can be read";
  if (head.empty()) throw Error(ExitCode::data, problem, "it is empty");
  if (const Stranger* stranger = known_stranger(head))
    throw Error(ExitCode::data, problem, std::string("it is ") + stranger->what, stranger->suggestion);
  throw Error(ExitCode::data, problem, "its content is of no known format", supported);
}

}  // namespace

const std::vector<Format>& formats() {
  static const std::vector<Format> table{
      {"keras", keras::recognise, keras::load},
      {"native", native::recognise, native::load},
      {"libsvm", libsvm::recognise, libsvm::load},
      {"onnx", onnx::recognise, onnx::load},
  };
  return table;
}

model::Model load_model(const std::string& path) {
  const base::Bytes head = first_bytes(path);
  h5::Sandbox::step(std::filesystem::file_size(path));
  for (const Format& format : formats()) {
    if (!format.recognise(path, head)) continue;
    model::Model model = format.load(path);
    model.origin.format = format.name;
    try {
      model::validate(model);
    } catch (const Error& e) {
      throw e.in(path);
    }
    return model;
  }
  refuse(path, head);
}

bool is_model(const std::string& path) {
  const base::Bytes head = first_bytes(path);
  for (const Format& format : formats())
    if (format.recognise(path, head)) return format.load != native::load || native::is_marked(path);
  if (known_stranger(head) != nullptr) refuse(path, head);
  return false;
}

}  // namespace h5score::format
