// Parser of LIBSVM model files. Lines of the header come in any order, except that nr_class precedes what it counts; a
// line "SV" ends it; then one line per support vector: its coefficients and the nonzero features as index:value.
#include "libsvm_text.hpp"

#include "h5score/base/error.hpp"

#include "names.hpp"
#include "printable.hpp"
#include "text.hpp"

#include <limits>
#include <set>
#include <string>

namespace h5score::format::libsvm {
namespace {

using base::Error;
using base::ExitCode;
using base::u32;
using base::u64;

constexpr Names<SvmType, 5> type_names{{
    {"c_svc", SvmType::c_svc},
    {"nu_svc", SvmType::nu_svc},
    {"one_class", SvmType::one_class},
    {"epsilon_svr", SvmType::epsilon_svr},
    {"nu_svr", SvmType::nu_svr},
}};

[[noreturn]] void refuse(const std::string& problem, const std::string& why = {}) {
  throw Error(ExitCode::data, problem, why);
}

template <class T, class Convert>
std::vector<T> all_of(std::string_view rest, Convert convert) {
  std::vector<T> values;
  for (auto token = next_token(rest); !token.empty(); token = next_token(rest)) values.push_back(convert(token));
  return values;
}

template <class T, class Convert>
std::vector<T> exactly(u64 n, std::string_view rest, Convert convert) {
  auto values = all_of<T>(rest, convert);
  if (values.size() != n) refuse(std::to_string(values.size()) + " values found", std::to_string(n) + " expected");
  return values;
}

std::string_view word(std::string_view rest) {
  const std::string_view token = next_token(rest);
  if (token.empty() || !next_token(rest).empty()) refuse("one word expected");
  return token;
}

double number(std::string_view rest) {
  return exactly<double>(1, rest, to_double)[0];
}
u64 count(std::string_view rest) {
  return exactly<u64>(1, rest, to_count)[0];
}

model::KernelKind kernel_of(std::string_view name) {
  if (name == "precomputed")
    refuse("kernel_type 'precomputed' is not supported", "such a model needs kernel values instead of features");
  return value_of(kernel_names, name, "kernel_type");
}

u64 class_count_of(std::string_view rest) {
  // Models have c(c-1)/2 decision functions, so this is far above anything trainable, and its square cannot overflow.
  constexpr u64 most = 65'536;
  const u64 classes = count(rest);
  if (classes < 2 || classes > most)
    refuse("nr_class " + std::to_string(classes), "2 to " + std::to_string(most) + " expected");
  return classes;
}

// The number of decision functions; needs nr_class, which LIBSVM itself wants first.
u64 pairs_of(const Header& header) {
  if (header.classes == 0) refuse("nr_class must come before it");
  return header.pairs();
}

void parse_entry(Header& header, std::string_view key, std::string_view rest) {
  if (key == "svm_type") {
    header.type = value_of(type_names, word(rest), "svm_type");
  } else if (key == "kernel_type") {
    header.kernel = kernel_of(word(rest));
  } else if (key == "degree") {
    header.degree = count(rest);
  } else if (key == "gamma") {
    header.gamma = number(rest);
  } else if (key == "coef0") {
    header.coef0 = number(rest);
  } else if (key == "nr_class") {
    header.classes = class_count_of(rest);
  } else if (key == "total_sv") {
    header.total_sv = count(rest);
  } else if (key == "rho") {
    header.rho = exactly<double>(pairs_of(header), rest, to_double);
  } else if (key == "label") {
    static_cast<void>(pairs_of(header));
    header.labels = exactly<base::i64>(header.classes, rest, to_integer);
  } else if (key == "probA") {
    header.prob_a = exactly<double>(pairs_of(header), rest, to_double);
  } else if (key == "probB") {
    header.prob_b = exactly<double>(pairs_of(header), rest, to_double);
  } else if (key == "nr_sv") {
    static_cast<void>(pairs_of(header));
    header.sv_per_class = exactly<u64>(header.classes, rest, to_count);
  } else if (key == "prob_density_marks") {
    all_of<double>(rest, to_double);  // one-class probabilities of LIBSVM 3.3: not used, labels do not depend on them
  } else {
    refuse("unknown header entry");
  }
}

void check_kernel(const Header& header, const std::set<std::string, std::less<>>& seen) {
  using model::KernelKind;
  const auto need = [&](const char* key) {
    if (!seen.contains(key)) refuse(std::string(key) + " is missing", "the kernel needs it");
  };
  if (header.kernel != KernelKind::linear) need("gamma");
  if (header.kernel == KernelKind::polynomial || header.kernel == KernelKind::sigmoid) need("coef0");
  if (header.kernel == KernelKind::polynomial) need("degree");
  if (header.kernel != KernelKind::linear && *header.gamma < 0) refuse("gamma is negative");
  if (header.kernel == KernelKind::polynomial && *header.degree > std::numeric_limits<u32>::max())
    refuse("degree is too large");
}

void check_classes(const Header& header, const std::set<std::string, std::less<>>& seen) {
  if (!header.classifies()) {
    if (header.classes != 2) refuse("nr_class must be 2 here", "the model does not classify");
    return;
  }
  for (const char* key : {"label", "nr_sv"})
    if (!seen.contains(key)) refuse(std::string(key) + " is missing", "a classifier needs it");
  std::set<base::i64> labels;
  for (const base::i64 label : header.labels)
    if (!labels.insert(label).second) refuse("label " + std::to_string(label) + " occurs twice");
  u64 left = header.total_sv;
  for (const u64 n : header.sv_per_class) {
    if (n > left) refuse("nr_sv adds up to more than total_sv", "total_sv " + std::to_string(header.total_sv));
    left -= n;
  }
  if (left != 0) refuse("nr_sv adds up to less than total_sv", "total_sv " + std::to_string(header.total_sv));
  if (seen.contains("probA") != seen.contains("probB")) refuse("probA and probB belong together, one is missing");
}

Header parse_header(Lines& lines) {
  Header header;
  std::set<std::string, std::less<>> seen;
  for (;;) {
    const auto line = lines.next();
    if (!line) refuse("the header does not end in a line 'SV'");
    std::string_view rest = *line;
    const std::string_view key = next_token(rest);
    if (key == "SV") break;
    if (key.empty() || key[0] == '#') continue;  // comments are PLSSVM's habit
    try {
      parse_entry(header, key, rest);
      if (!seen.emplace(key).second) refuse("it occurs twice");
    } catch (const Error& e) {
      throw e.in("line " + std::to_string(lines.number()) + ": " + shown(key));
    }
  }
  for (const char* key : {"svm_type", "kernel_type", "nr_class", "total_sv", "rho"})
    if (!seen.contains(key)) refuse(std::string(key) + " is missing from the header");
  check_kernel(header, seen);
  check_classes(header, seen);
  return header;
}

// Appends one line's index:value pairs.
void parse_features(SupportVectors& vectors, std::string_view rest) {
  u64 previous = 0;
  for (auto token = next_token(rest); !token.empty(); token = next_token(rest)) {
    const std::size_t colon = token.find(':');
    if (colon == std::string_view::npos) refuse("index:value expected", "found " + shown(token));
    const u64 index = to_count(token.substr(0, colon));
    if (index == 0 || index > std::numeric_limits<u32>::max())
      refuse("feature index " + std::to_string(index), "indices start at 1 and stay below 2^32");
    if (index <= previous)
      refuse("feature index " + std::to_string(index) + " after " + std::to_string(previous), "indices must ascend");
    vectors.index.push_back(static_cast<u32>(index - 1));
    vectors.value.push_back(to_double(token.substr(colon + 1)));
    previous = index;
  }
  vectors.width = std::max(vectors.width, previous);
  vectors.begin.push_back(vectors.index.size());
}

SupportVectors parse_vectors(Lines& lines, const Header& header) {
  SupportVectors vectors;
  const u64 per_vector = header.classes - 1;
  // A line has at least two bytes per coefficient, so a count that the rest of the file cannot hold is not worth
  // reading.
  if (header.total_sv > lines.bytes_left() / (2 * per_vector))
    refuse("the file is too short for " + std::to_string(header.total_sv) + " support vectors");
  vectors.coefficients.reserve(header.total_sv * per_vector);
  vectors.begin.reserve(header.total_sv + 1);
  vectors.begin.push_back(0);
  while (const auto line = lines.next()) {
    std::string_view rest = *line;
    std::string_view token = next_token(rest);
    if (token.empty()) continue;
    try {
      if (vectors.begin.size() > header.total_sv) refuse("more support vectors than total_sv");
      for (u64 k = 0; k < per_vector; ++k, token = k < per_vector ? next_token(rest) : token)
        vectors.coefficients.push_back(to_double(token));
      parse_features(vectors, rest);
    } catch (const Error& e) {
      throw e.in("line " + std::to_string(lines.number()));
    }
  }
  if (vectors.begin.size() != header.total_sv + 1)
    refuse("the file ends early", std::to_string(vectors.begin.size() - 1) + " of " + std::to_string(header.total_sv) +
                                      " support vectors found");
  return vectors;
}

}  // namespace

File parse(std::string_view text) {
  Lines lines(text);
  File file;
  file.header = parse_header(lines);
  file.vectors = parse_vectors(lines, file.header);
  return file;
}

}  // namespace h5score::format::libsvm
