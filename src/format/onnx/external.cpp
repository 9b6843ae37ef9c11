// External data, confined to the model's folder.
#include "external.hpp"

#include "h5score/base/error.hpp"

#include "../printable.hpp"
#include "../text.hpp"

#include <filesystem>
#include <fstream>
#include <optional>

namespace h5score::format::onnx {
namespace {

using base::Error;
using base::ExitCode;
using base::u64;
namespace fs = std::filesystem;

struct Place {
  std::string location;
  u64 offset = 0;
  std::optional<u64> length;
};

Place place_of(const pb::TensorProto& tensor) {
  Place place;
  for (const auto& entry : tensor.external_data()) {
    if (entry.key() == "location") place.location = entry.value();
    if (entry.key() == "offset") place.offset = to_count(entry.value());
    if (entry.key() == "length") place.length = to_count(entry.value());
  }
  return place;
}

fs::path confined(const std::string& location, const std::string& folder) {
  const auto refuse = [&](const char* why) {
    throw Error(ExitCode::data, "the external data file " + shown(location) + " cannot be used", why,
                "it must lie in the model's own folder");
  };
  const fs::path relative(location);
  if (relative.empty() || location.find('\0') != std::string::npos) refuse("its name is not valid");
  if (relative.is_absolute()) refuse("its path is absolute");
  for (const auto& part : relative)
    if (part == "..") refuse("its path leads upwards");
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  if (error) refuse("the folder cannot be read");
  const fs::path path = fs::canonical(root / relative, error);
  if (error) refuse("it does not exist");
  const fs::path inside = path.lexically_relative(root);
  if (inside.empty() || *inside.begin() == "..") refuse("a symbolic link leads out of the folder");
  if (!fs::is_regular_file(path, error)) refuse("it is not a regular file");
  return path;
}

}  // namespace

std::string external_bytes(const pb::TensorProto& tensor, const std::string& folder, u64 size) {
  const Place place = place_of(tensor);
  const fs::path path = confined(place.location, folder);
  const auto refuse = [&](const std::string& why) {
    throw Error(ExitCode::data, "the external data file " + shown(place.location) + " does not fit", why);
  };
  if (place.length && *place.length != size)
    refuse(std::to_string(*place.length) + " bytes are named, " + std::to_string(size) + " are needed");
  std::ifstream stream(path, std::ios::binary | std::ios::ate);
  if (!stream) refuse("it cannot be opened");
  const auto available = static_cast<u64>(std::streamoff{stream.tellg()});
  if (place.offset > available || size > available - place.offset)
    refuse("it ends after " + std::to_string(available) + " bytes, " + std::to_string(size) + " are needed at offset " +
           std::to_string(place.offset));
  std::string bytes(size, '\0');
  stream.seekg(static_cast<std::streamoff>(place.offset));
  if (!stream.read(bytes.data(), static_cast<std::streamsize>(size))) refuse("it cannot be read");
  return bytes;
}

}  // namespace h5score::format::onnx
