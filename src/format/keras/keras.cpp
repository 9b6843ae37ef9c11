// Finding description and weights, in one file or in two.
#include "keras.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/h5/io.hpp"

#include "format/classify.hpp"
#include "format/keras/walk.hpp"
#include "format/keras/weights.hpp"
#include "format/native.hpp"
#include "format/printable.hpp"
#include "format/zip.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>

namespace h5score::format::keras {
namespace {

using base::Error;
using base::ExitCode;

constexpr const char* classic_group = "model_weights";
// The usual names of a pair: X.json and one of these.
constexpr std::array weight_endings{"_weights.h5", ".weights.h5", ".h5", "_weights.hdf5", ".hdf5"};

// Where a model lies: its description as text, and the group with its weights.
struct Found {
  std::string description;
  std::string place;    ///< of the description, for messages; empty: the file itself
  std::string version;  ///< of Keras; empty: not stated
  h5::Handle file;      ///< keeps the weights open
  h5::Handle weights;
  u64 file_bytes = 0;
};

bool is_json(base::ByteView head) {
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  const auto begin = text.find_first_not_of(" \t\r\n");
  return begin != std::string_view::npos && text[begin] == '{' && text.find("\"class_name\"") != std::string_view::npos;
}

std::string read_text(const std::string& path) {
  std::ifstream stream(path, std::ios::binary | std::ios::ate);
  if (!stream) throw Error(ExitCode::no_input, path + ": cannot be opened", base::errno_text(errno));
  const auto size = std::streamoff{stream.tellg()};
  if (size > std::streamoff{64} << 20) throw Error(ExitCode::data, "the JSON text is too long");
  std::string text(base::narrow<std::size_t>(size), '\0');
  stream.seekg(0);
  if (!stream.read(text.data(), size)) throw Error(ExitCode::io, "cannot be read", base::errno_text(errno));
  return text;
}

std::string attribute_or_nothing(const h5::Handle& object, const char* name) {
  return h5::has_attribute(object, name) ? h5::read_string_attribute(object, name) : std::string();
}

void open_weights(Found& found, const std::string& path) {
  found.file = h5::open_file(path);
  found.file_bytes = base::narrow<u64>(std::filesystem::file_size(path));
  const bool whole = h5::exists(found.file, classic_group);
  found.weights = h5::open_group(found.file, whole ? classic_group : "/");
  if (weight_layout(found.weights) == WeightLayout::none)
    throw Error(ExitCode::data, "the file holds no weights of Keras");
  found.version = attribute_or_nothing(found.weights, "keras_version");
}

// X.json for X_weights.h5.
std::string description_beside(const std::string& path) {
  std::string looked_for;
  for (const char* ending : weight_endings) {
    if (!path.ends_with(ending)) continue;
    const std::string json = path.substr(0, path.size() - std::string_view(ending).size()) + ".json";
    std::error_code error;
    if (std::filesystem::exists(json, error)) return json;
    looked_for += (looked_for.empty() ? "" : ", ") + json;
  }
  throw Error(ExitCode::data, path + ": holds the weights of a Keras network but not its layers",
              looked_for.empty() ? "" : "looked for " + looked_for,
              "put model.to_json() beside it, or save the whole model: model.save('model.keras')");
}

std::string weights_beside(const std::string& path) {
  const std::string stem = path.ends_with(".json") ? path.substr(0, path.size() - 5) : path;
  std::string looked_for;
  for (const char* ending : weight_endings) {
    std::error_code error;
    if (std::filesystem::exists(stem + ending, error)) return stem + ending;
    looked_for += (looked_for.empty() ? "" : ", ") + stem + ending;
  }
  throw Error(ExitCode::data, path + ": describes a Keras network but does not hold its weights",
              "looked for " + looked_for, "put the file of model.save_weights() beside it, under one of these names");
}

Found find_pair(const std::string& json, const std::string& weights) {
  Found found;
  found.description = read_text(json);
  try {
    open_weights(found, weights);
  } catch (const Error& e) {
    if (e.code() == ExitCode::no_input) throw;
    throw e.in(weights);
  }
  return found;
}

Found find_in_hdf5(const std::string& path) {
  Found found;
  open_weights(found, path);
  const h5::Handle root = h5::open_group(found.file, "/");
  if (!h5::has_attribute(root, "model_config")) return find_pair(description_beside(path), path);
  found.description = h5::read_string_attribute(root, "model_config");
  found.place = "attribute 'model_config'";
  if (const auto version = attribute_or_nothing(root, "keras_version"); !version.empty()) found.version = version;
  return found;
}

Found find_in_archive(const std::string& path) {
  constexpr u64 most_text = u64{64} << 20;
  constexpr u64 most_weights = u64{4} << 30;
  const ZipArchive archive(path);
  const auto as_text = [&](const char* name) {
    const base::Bytes bytes = archive.read(name, most_text);
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  Found found;
  found.description = as_text("config.json");
  found.place = "config.json";
  if (archive.has("metadata.json")) found.version = text(parse_json(as_text("metadata.json")), "keras_version", "");
  const base::Bytes image = archive.read("model.weights.h5", most_weights);
  try {
    found.file = h5::open_image(image);
  } catch (const Error& e) {
    throw e.in("'model.weights.h5'");
  }
  found.weights = h5::open_group(found.file, "/");
  found.file_bytes = image.size();
  return found;
}

Found find(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  base::Bytes head(4096);
  stream.read(reinterpret_cast<char*>(head.data()), static_cast<std::streamsize>(head.size()));
  if (stream.bad()) throw Error(ExitCode::io, "cannot be read", base::errno_text(errno));
  head.resize(static_cast<std::size_t>(stream.gcount()));
  if (is_zip(head)) return find_in_archive(path);
  if (is_json(head)) return find_pair(path, weights_beside(path));
  return find_in_hdf5(path);
}

Json description_of(const Found& found) {
  try {
    return parse_json(found.description);
  } catch (const Error& e) {
    throw found.place.empty() ? e : e.in(found.place);
  }
}

// A description without a version is of Keras 1, or what to_json() of Keras 3 gives.
u64 major_of(const std::string& version, const Json& description) {
  u64 major = member(description, "module").is_null() ? 1 : 3;
  std::from_chars(version.data(), version.data() + version.size(), major);
  return major;
}

bool holds_keras(const std::string& path) {
  const h5::Handle file = h5::open_file(path);
  const h5::Handle root = h5::open_group(file, "/");
  if (h5::has_attribute(root, "format")) return false;  // a model of ours
  return h5::has_attribute(root, "model_config") || weight_layout(root) != WeightLayout::none;
}

}  // namespace

bool recognise(const std::string& path, base::ByteView head) {
  try {
    if (is_zip(head)) return ZipArchive(path).has("config.json");
    return native::recognise(path, head) ? holds_keras(path) : is_json(head);
  } catch (const Error&) {
    return false;  // too damaged to tell
  }
}

model::Model load(const std::string& path) {
  try {
    const Found found = find(path);
    const Json description = description_of(found);
    Network network = parse_network(description);
    check_layers(network);
    const bool float64 = assign_weights(network, found.weights, found.file_bytes);
    const std::string version = text(description, "keras_version", found.version);
    model::Model model = build_model(network, major_of(version, description), float64);
    model.origin = {.library = "keras", .version = is_utf8(version) ? version : "", .format = {}};
    default_head(model);
    return model;
  } catch (const Error& e) {
    if (std::string_view(e.what()).starts_with(path)) throw;
    throw e.in(path);
  }
}

}  // namespace h5score::format::keras
