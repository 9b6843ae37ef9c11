// Native models as sound HDF5 files with any content: a small model whose attributes and datasets are replaced, added
// and dropped as the bytes say. What the library makes of damaged files is another target's matter.
#include "h5score/format/format.hpp"
#include "h5score/h5/io.hpp"
#include "h5score/h5/library.hpp"

#include "fuzz/model_use.hpp"
#include "fuzz/target.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <variant>

namespace h5score::fuzz {
namespace {

using base::i64;
using base::u64;

struct Numbers {
  std::vector<u64> shape;
  std::vector<double> values;
};
struct Integers {
  std::vector<u64> shape;
  std::vector<i64> values;
};
// Attributes are "group@name", datasets "group/name".
using Value = std::variant<std::string, double, i64, std::vector<i64>, Numbers, Integers, std::vector<std::string>>;
using Content = std::map<std::string, Value>;

Numbers filled(std::vector<u64> shape) {
  u64 n = 1;
  for (const u64 extent : shape) n *= extent;
  return {std::move(shape), std::vector<double>(n, 0.25)};
}

Content network() {
  return {{"@format", "h5score-model"},
          {"@format_version", i64{1}},
          {"@n_features", i64{4}},
          {"stages/0@kind", "scale"},
          {"stages/0/offset", filled({4})},
          {"stages/0/factor", filled({4})},
          {"stages/1@kind", "affine"},
          {"stages/1/weights", filled({4, 3})},
          {"stages/1/bias", filled({3})},
          {"stages/2@kind", "activation"},
          {"stages/2@function", "tanh"},
          {"stages/3@kind", "concat"},
          {"stages/3@inputs", std::vector<i64>{3, 0}},
          {"stages/4@kind", "select"},
          {"stages/4/columns", Integers{{3}, {0, 6, 2}}},
          {"head@kind", "multiclass"},
          {"head@link", "softmax"},
          {"head/classes", std::vector<std::string>{"a", "b", "c"}},
          {"feature_names", std::vector<std::string>{"u", "v", "w", "x"}}};
}

Content machine() {
  return {{"@format", "h5score-model"},
          {"@format_version", i64{1}},
          {"@n_features", i64{2}},
          {"@total_count", 100.0},
          {"stages/0@kind", "impute"},
          {"stages/0/statistics", filled({2})},
          {"stages/1@kind", "kernel_expansion"},
          {"stages/1@kernel", "polynomial"},
          {"stages/1@gamma", 0.5},
          {"stages/1@coef0", 1.0},
          {"stages/1@degree", i64{3}},
          {"stages/1/support_vectors", filled({5, 2})},
          {"stages/1/coefficients", filled({5, 3})},
          {"stages/1/intercept", filled({3})},
          {"head@kind", "one_vs_one"},
          {"head@link", "platt"},
          {"head/classes", Integers{{3}, {1, 2, 3}}},
          {"head/prob_a", filled({3})},
          {"head/prob_b", filled({3})},
          {"reference/mean", filled({2})},
          {"golden/rows", filled({2, 2})},
          {"golden/label_codes", Integers{{2}, {0, 1}}}};
}

class Choices {
 public:
  explicit Choices(base::ByteView bytes) : rest_(bytes) {}
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  u64 next() {
    if (rest_.empty()) return 0;
    const auto byte = std::to_integer<u64>(rest_.front());
    rest_ = rest_.subspan(1);
    return byte;
  }
  template <class T, std::size_t N>
  T from(const std::array<T, N>& choices) {
    return choices[next() % N];
  }

 private:
  base::ByteView rest_;
};

constexpr std::array<const char*, 40> words{"affine",  "activation",  "softmax",       "kernel_expansion",
                                            "impute",  "scale",       "normalize",     "clip",
                                            "log1p",   "binarize",    "select",        "mark_missing",
                                            "concat",  "add",         "divide",        "maximum",
                                            "values",  "binary",      "multiclass",    "multilabel",
                                            "platt",   "one_vs_one",  "one_class",     "identity",
                                            "sigmoid", "none",        "rbf",           "linear",
                                            "relu",    "exponential", "leaky_relu",    "l1",
                                            "max",     "float32",     "float64",       "",
                                            "\xff",    "a\nb",        "h5score-model", "gelu"};
constexpr std::array<const char*, 34> names{
    "@format", "@format_version", "@n_features",      "@precision",    "@total_count", "@kind",       "@function",
    "@alpha",  "@inputs",         "@kernel",          "@gamma",        "@degree",      "@low",        "@high",
    "@value",  "@threshold",      "@missing",         "@norm",         "@group",       "@link",       "/weights",
    "/bias",   "/columns",        "/support_vectors", "/coefficients", "/intercept",   "/statistics", "/offset",
    "/factor", "/classes",        "/prob_a",          "/prediction",   "/probability", "/input_shape"};
constexpr std::array<const char*, 9> groups{"",       "stages/0", "stages/1", "stages/2", "stages/5",
                                            "stages", "head",     "golden",   "reference"};
constexpr std::array<double, 14> reals{0,
                                       1,
                                       -1,
                                       0.5,
                                       -0.0,
                                       1e308,
                                       -1e308,
                                       1e-320,
                                       4e9,
                                       1.8e19,
                                       3.5,
                                       std::numeric_limits<double>::infinity(),
                                       -std::numeric_limits<double>::infinity(),
                                       std::numeric_limits<double>::quiet_NaN()};
constexpr std::array<i64, 14> integers{0,
                                       1,
                                       2,
                                       3,
                                       4,
                                       -1,
                                       255,
                                       65536,
                                       100000,
                                       i64{1} << 31,
                                       i64{1} << 32,
                                       i64{1} << 61,
                                       std::numeric_limits<i64>::max(),
                                       std::numeric_limits<i64>::min()};
constexpr std::array<u64, 8> extents{0, 1, 2, 3, 4, 5, 7, 300};

std::vector<u64> shape_of(Choices& choices) {
  std::vector<u64> shape(choices.next() % 4);
  u64 n = 1;
  for (u64& extent : shape) {
    extent = choices.from(extents);
    n *= extent;
  }
  if (n > 100'000) return {3};
  return shape;
}

u64 count_of(const std::vector<u64>& shape) {
  u64 n = 1;
  for (const u64 extent : shape) n *= extent;
  return n;
}

Value attribute_of(Choices& choices) {
  switch (choices.next() % 4) {
    case 0:
      return choices.from(words);
    case 1:
      return choices.from(reals);
    case 2:
      return choices.from(integers);
    default: {
      std::vector<i64> list(choices.next() % 8);
      for (i64& value : list) value = choices.from(integers);
      return list;
    }
  }
}

Value dataset_of(Choices& choices) {
  const u64 kind = choices.next() % 4;
  if (kind == 0) {
    std::vector<std::string> texts(choices.next() % 8);
    for (auto& text : texts) text = choices.from(words);
    return texts;
  }
  const auto shape = shape_of(choices);
  const u64 n = count_of(shape);
  if (kind == 1) return Integers{shape, std::vector<i64>(n, choices.from(integers))};
  Numbers numbers{shape, std::vector<double>(n, 0.5)};
  if (n != 0) numbers.values[choices.next() % n] = choices.from(reals);
  return numbers;
}

// Which entry is changed: one that is there, or one of any name.
std::string key_of(Choices& choices, const Content& content) {
  if (choices.next() % 4 == 0) return std::string(choices.from(groups)) + choices.from(names);
  auto entry = content.begin();
  std::advance(entry, static_cast<std::ptrdiff_t>(choices.next() % content.size()));
  return entry->first;
}

void write(const h5::Handle& file, const std::string& key, const Value& value) {
  const auto at = key.find('@');
  if (at == std::string::npos) {
    if (const auto* numbers = std::get_if<Numbers>(&value))
      h5::write_doubles(file, key, numbers->shape, numbers->values);
    if (const auto* whole = std::get_if<Integers>(&value)) h5::write_integers(file, key, whole->shape, whole->values);
    if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) h5::write_strings(file, key, *texts);
    return;
  }
  const std::string group = at == 0 ? "/" : key.substr(0, at);
  const h5::Handle object = h5::exists(file, group) ? h5::open_group(file, group) : h5::create_group(file, group);
  const std::string name = key.substr(at + 1);
  if (const auto* text = std::get_if<std::string>(&value)) h5::write_attribute(object, name, *text);
  if (const auto* real = std::get_if<double>(&value)) h5::write_attribute(object, name, *real);
  if (const auto* whole = std::get_if<i64>(&value)) h5::write_attribute(object, name, *whole);
  if (const auto* list = std::get_if<std::vector<i64>>(&value)) h5::write_attribute(object, name, *list);
}

void write_file(const std::string& path, const Content& content) {
  const h5::Handle file = h5::create_file(path);
  for (const auto& [key, value] : content) {
    try {
      write(file, key, value);
    } catch (const base::Error&) {  // a group in the place of a dataset, or an empty list: the file is without it
    }
  }
}

}  // namespace

Outcome run(base::ByteView bytes) {
  static const InputFile file("fuzz.h5");
  h5::initialise();
  Choices choices(bytes);
  Content content = choices.next() % 2 == 0 ? network() : machine();
  for (int edits = 0; !choices.empty() && edits < 16; ++edits) {
    const std::string key = key_of(choices, content);
    if (choices.next() % 8 == 0)
      content.erase(key);
    else
      content.insert_or_assign(key, key.find('@') == std::string::npos ? dataset_of(choices) : attribute_of(choices));
  }
  write_file(file.path(), content);
  return refusing(file.path(), [&] { use_model(format::load_model(file.path())); });
}

std::vector<base::Bytes> seeds() {
  std::vector<base::Bytes> all{{std::byte{0}}, {std::byte{1}}};
  std::mt19937 random(3);
  for (const int size : {8, 8, 16, 16, 32, 64}) {
    base::Bytes bytes(static_cast<std::size_t>(size));
    for (auto& byte : bytes) byte = static_cast<std::byte>(random() % 256);
    all.push_back(std::move(bytes));
  }
  return all;
}

}  // namespace h5score::fuzz
