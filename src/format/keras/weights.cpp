// Reading and matching of weights.
#include "weights.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include "format/keras/layers.hpp"
#include "format/printable.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <set>

namespace h5score::format::keras {
namespace {

using base::Error;
using base::ExitCode;

constexpr u64 most_names = 10'000;

// What all weights of one file share.
struct Source {
  u64 file_bytes = 0;
  u64 values_left = u64{1} << 29;  // a hostile file can name one dataset a thousand times
  bool float64 = false;
};

// A group whose links all stay inside the file.
struct Folder {
  explicit Folder(h5::Handle handle) : group(std::move(handle)) {
    for (auto& link : h5::links_of(group, most_names)) {
      if (!link.local)
        throw Error(ExitCode::data, "link " + shown(link.name) + " leads into another file",
                    "a model file must be complete in itself");
      names.insert(std::move(link.name));
    }
  }
  [[nodiscard]] bool has(const std::string& name) const { return names.contains(name); }
  [[nodiscard]] Folder child(const std::string& name) const {
    if (!has(name)) throw Error(ExitCode::data, "group " + shown(name) + " is missing");
    return Folder(h5::open_group(group, name));
  }

  h5::Handle group;
  std::set<std::string> names;
};

// A list of names; a long one is cut into NAME0, NAME1, ...
std::vector<std::string> name_list(const h5::Handle& group, const std::string& name) {
  if (h5::has_attribute(group, name)) return h5::read_strings_attribute(group, name, most_names);
  std::vector<std::string> all;
  for (u64 part = 0; h5::has_attribute(group, name + std::to_string(part)) && all.size() <= most_names; ++part) {
    const auto some = h5::read_strings_attribute(group, name + std::to_string(part), most_names);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

Array read_array(const Folder& folder, const std::string& name, Source& source) {
  if (!folder.has(name)) throw Error(ExitCode::data, shown(name) + " is missing");
  const h5::Handle dataset = h5::open_dataset(folder.group, name);
  h5::check_stored(dataset, source.file_bytes);
  Array array{.name = name.substr(0, name.find(':')), .shape = h5::shape_of(dataset), .values = {}};
  array.values = h5::read_doubles(dataset, source.values_left);
  source.values_left -= array.values.size();
  source.float64 = source.float64 || h5::is_float64(dataset);
  return array;
}

// A weight by its path below a layer's group, "dense_1/kernel:0".
Array read_path(const Folder& folder, const std::string& path, Source& source) {
  const auto slash = path.find('/');
  if (slash == std::string::npos) return read_array(folder, path, source);
  return read_path(folder.child(path.substr(0, slash)), path.substr(slash + 1), source);
}

// The classic layout.

std::vector<Array> read_layer(const Folder& layers, const std::string& name, Source& source) {
  const Folder folder = layers.child(name);
  std::vector<Array> arrays;
  for (const auto& path : name_list(folder.group, "weight_names")) {
    try {
      arrays.push_back(read_path(folder, path, source));
    } catch (const Error& e) {
      throw e.in("weight " + shown(path) + " of " + shown(name));
    }
  }
  return arrays;
}

// The layers that own weights, those of nested networks included, in order.
void collect_owners(Layer& layer, std::vector<Layer*>& owners) {
  if (layer.network) {
    for (Layer& inner : layer.network->layers) collect_owners(inner, owners);
  } else {
    const WeightNames names = weight_names(layer);
    if (!names.trainable.empty() || !names.fixed.empty()) owners.push_back(&layer);
  }
}

bool is_frozen(const Layer& layer) {
  return !flag(*layer.config, "trainable", true);
}

struct Slot {
  Layer* layer;
  std::size_t index;
  std::string name;
};

// A nested network is one group: first what training changes, layer by layer, then the rest; a frozen layer's weights
// all belong to the rest.
std::vector<Slot> slots_of(const std::vector<Layer*>& owners) {
  std::vector<Slot> first;
  std::vector<Slot> rest;
  for (Layer* layer : owners) {
    const WeightNames names = weight_names(*layer);
    std::size_t index = 0;
    for (const auto& name : names.trainable) (is_frozen(*layer) ? rest : first).push_back({layer, index++, name});
    for (const auto& name : names.fixed) rest.push_back({layer, index++, name});
  }
  first.insert(first.end(), rest.begin(), rest.end());
  return first;
}

// Names that Keras 2 and 3 give; Keras 1's (dense_1_W) tell nothing here.
bool is_telling(const std::string& name) {
  static const std::set<std::string> known{"kernel",          "bias",  "gamma", "beta",     "moving_mean",
                                           "moving_variance", "alpha", "mean",  "variance", "count"};
  return known.contains(name);
}

void distribute(std::vector<Array> arrays, Layer& top, const std::vector<Layer*>& owners) {
  const auto slots = slots_of(owners);
  if (arrays.size() != slots.size())
    throw Error(ExitCode::data, label(top) + ": the file has " + std::to_string(arrays.size()) + " weights for it",
                std::to_string(slots.size()) + " expected");
  for (Layer* owner : owners) {
    const WeightNames names = weight_names(*owner);
    owner->weights.resize(names.trainable.size() + names.fixed.size());
  }
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const Slot& slot = slots[i];
    if (is_telling(arrays[i].name) && arrays[i].name != slot.name)
      throw Error(ExitCode::data, label(*slot.layer) + ": the file has " + shown(arrays[i].name) + " in the place of " +
                                      shown(slot.name));
    slot.layer->weights[slot.index] = std::move(arrays[i]);
  }
}

void assign_classic(Network& network, const Folder& root, Source& source) {
  struct Top {
    Layer* layer;
    std::vector<Layer*> owners;
  };
  std::vector<Top> tops;
  for (Layer& layer : network.layers) {
    std::vector<Layer*> owners;
    collect_owners(layer, owners);
    if (!owners.empty()) tops.push_back({&layer, std::move(owners)});
  }
  std::map<std::string, std::vector<Array>> stored;
  std::vector<std::string> order;
  for (const auto& name : name_list(root.group, "layer_names")) {
    auto arrays = read_layer(root, name, source);
    if (arrays.empty()) continue;
    order.push_back(name);
    stored[name] = std::move(arrays);
  }
  const bool by_name =
      std::all_of(tops.begin(), tops.end(), [&](const Top& top) { return stored.contains(top.layer->name); });
  if (!by_name && order.size() != tops.size()) {
    const auto missing =
        std::find_if(tops.begin(), tops.end(), [&](const Top& top) { return !stored.contains(top.layer->name); });
    throw Error(ExitCode::data, label(*missing->layer) + ": its weights are missing",
                "the file has weights of " + std::to_string(order.size()) + " layers, the description names " +
                    std::to_string(tops.size()));
  }
  for (std::size_t i = 0; i < tops.size(); ++i) {
    const std::string& name = by_name ? tops[i].layer->name : order[i];
    distribute(std::exchange(stored[name], {}), *tops[i].layer, tops[i].owners);
  }
}

// Keras 3's own layout: groups are named after the layer's class and counted, whatever the layer's name.

std::string snake_case(const std::string& class_name) {
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  std::string result;
  for (std::size_t i = 0; i < class_name.size(); ++i) {
    const char c = class_name[i];
    const bool before_word = i + 1 < class_name.size() && lower(class_name[i + 1]);
    if (i > 0 && upper(c) && (before_word || lower(class_name[i - 1]))) result += '_';
    result += upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return result;
}

// The groups PREFIX, PREFIX_1, ... in the order of their numbers, which may have gaps (Keras 2.13).
std::vector<std::string> numbered(const Folder& folder, const std::string& prefix) {
  std::map<u64, std::string> found;
  for (const auto& name : folder.names) {
    if (!name.starts_with(prefix)) continue;
    const std::string_view rest = std::string_view(name).substr(prefix.size());
    u64 number = 0;
    if (!rest.empty()) {
      const auto [end, error] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), number);
      if (rest[0] != '_' || error != std::errc{} || end != rest.data() + rest.size()) continue;
    }
    found[number] = name;
  }
  std::vector<std::string> names;
  for (auto& [number, name] : found) names.push_back(std::move(name));
  return names;
}

std::optional<std::string> container_of(const Folder& folder) {
  for (const char* name : {"layers", "_layer_checkpoint_dependencies"})  // the latter: Keras 2.12 and 2.13
    if (folder.has(name)) return name;
  return std::nullopt;
}

void assign_own(Network& network, const Folder& folder, Source& source);

void assign_own(Layer& layer, const Folder& folder, Source& source) {
  if (layer.network) return assign_own(*layer.network, folder, source);
  const Folder vars = folder.child("vars");
  const WeightNames names = weight_names(layer);
  for (std::size_t i = 0; i < names.trainable.size() + names.fixed.size(); ++i)
    layer.weights.push_back(read_array(vars, std::to_string(i), source));
}

void assign_own(Network& network, const Folder& folder, Source& source) {
  const auto container = container_of(folder);
  if (!container) throw Error(ExitCode::data, "group 'layers' is missing");
  const Folder layers = folder.child(*container);
  std::map<std::string, std::size_t> seen;
  for (Layer& layer : network.layers) {
    const std::size_t i = seen[layer.class_name]++;
    std::vector<Layer*> owners;
    collect_owners(layer, owners);
    if (owners.empty()) continue;
    // A class "Model" is saved by the name of what it became.
    const auto groups = numbered(layers, layer.class_name == "Model" ? "functional" : snake_case(layer.class_name));
    if (i >= groups.size()) throw Error(ExitCode::data, label(layer) + ": its weights are missing");
    try {
      assign_own(layer, layers.child(groups[i]), source);
    } catch (const Error& e) {
      throw e.in(label(layer) + ": weights in " + shown(groups[i]));
    }
  }
}

}  // namespace

WeightLayout weight_layout(const h5::Handle& root) {
  if (h5::has_attribute(root, "layer_names") || h5::has_attribute(root, "layer_names0")) return WeightLayout::classic;
  for (const char* name : {"layers", "_layer_checkpoint_dependencies"}) {
    if (!h5::exists(root, name)) continue;
    const h5::Handle layers = h5::open_group(root, name);
    for (const auto& link : h5::links_of(layers, most_names))
      for (const char* inside : {"/vars", "/layers", "/_layer_checkpoint_dependencies"})
        if (link.local && h5::exists(layers, link.name + inside)) return WeightLayout::own;
  }
  return WeightLayout::none;
}

bool assign_weights(Network& network, const h5::Handle& root, u64 file_bytes) {
  Source source{.file_bytes = file_bytes};
  const WeightLayout layout = weight_layout(root);
  const Folder folder(h5::open_group(root, "."));
  if (layout == WeightLayout::own)
    assign_own(network, folder, source);
  else
    assign_classic(network, folder, source);
  return source.float64;
}

}  // namespace h5score::format::keras
