// Reader of the native HDF5 model format (docs/model-format.md).
#include "h5score/base/narrow.hpp"

#include "names.hpp"
#include "native.hpp"
#include "section.hpp"

#include <filesystem>
#include <limits>

namespace h5score::format::native {
namespace {

using base::Error;
using base::ExitCode;
using base::u64;

u64 count(Section& section, const std::string& attribute) {
  const base::i64 value = section.integer(attribute);
  if (value < 0) throw Error(ExitCode::data, "attribute '" + attribute + "' is negative");
  return base::narrow<u64>(value);
}

std::vector<u64> counts(Section& section, const std::string& name) {
  std::vector<u64> values;
  for (const base::i64 value : section.integers(name)) {
    if (value < 0) throw Error(ExitCode::data, "'" + name + "' has a negative number");
    values.push_back(base::narrow<u64>(value));
  }
  return values;
}

model::Stage read_affine(Section& s) {
  return model::Affine{s.matrix("weights"), s.vector("bias")};
}

model::Stage read_activation(Section& s) {
  model::Activation stage{.kind = value_of(activation_names, s.text("function"), "activation")};
  const double otherwise = stage.kind == model::ActivationKind::leaky_relu ? 0.01
                           : stage.kind == model::ActivationKind::elu      ? 1.0
                                                                           : 0.0;
  stage.alpha = s.number("alpha", otherwise);
  return stage;
}

model::Stage read_softmax(Section& s) {
  return model::Softmax{s.has_attribute("group") ? count(s, "group") : 0, s.flag("log")};
}

model::Stage read_kernel_expansion(Section& s) {
  using model::KernelKind;
  model::KernelExpansion stage;
  model::Kernel& kernel = stage.kernel;
  kernel.kind = value_of(kernel_names, s.text("kernel"), "kernel");
  if (kernel.kind != KernelKind::linear) kernel.gamma = s.number("gamma");
  if (kernel.kind == KernelKind::polynomial || kernel.kind == KernelKind::sigmoid) kernel.coef0 = s.number("coef0");
  if (kernel.kind == KernelKind::polynomial) {
    const u64 degree = count(s, "degree");
    if (degree > std::numeric_limits<base::u32>::max())
      throw Error(ExitCode::data, "attribute 'degree' is too large", std::to_string(degree));
    kernel.degree = base::narrow<base::u32>(degree);
  }
  stage.support_vectors = s.matrix("support_vectors");
  stage.coefficients = s.matrix("coefficients");
  stage.intercept = s.vector("intercept");
  return stage;
}

model::Stage read_impute(Section& s) {
  model::Impute stage{.statistics = s.vector("statistics")};
  const double missing = s.number("missing", std::numeric_limits<double>::quiet_NaN());
  stage.missing_is_nan = missing != missing;
  if (!stage.missing_is_nan) stage.missing = missing;
  return stage;
}

model::Stage read_scale(Section& s) {
  return model::Scale{s.vector("offset"), s.vector("factor")};
}

model::Stage read_normalize(Section& s) {
  return model::Normalize{value_of(norm_names, s.text("norm"), "norm")};
}

model::Stage read_clip(Section& s) {
  return model::Clip{s.number("low"), s.number("high")};
}

model::Stage read_log1p(Section& /*s*/) {
  return model::Log1p{};
}

model::Stage read_mark_missing(Section& s) {
  return model::MarkMissing{s.number("value")};
}

model::Stage read_binarize(Section& s) {
  return model::Binarize{s.number("threshold", 0)};
}

model::Stage read_select(Section& s) {
  return model::Select{counts(s, "columns")};
}

constexpr Names<model::Stage (*)(Section&), 12> stage_readers{{
    {"affine", read_affine},
    {"activation", read_activation},
    {"softmax", read_softmax},
    {"kernel_expansion", read_kernel_expansion},
    {"impute", read_impute},
    {"scale", read_scale},
    {"normalize", read_normalize},
    {"clip", read_clip},
    {"log1p", read_log1p},
    {"mark_missing", read_mark_missing},
    {"binarize", read_binarize},
    {"select", read_select},
}};

/// The nodes that stage `number` reads; without the attribute the output of the stage before.
std::vector<u64> read_inputs(Section& s, u64 number) {
  if (!s.has_attribute("inputs")) return {number};
  std::vector<u64> nodes;
  for (const base::i64 node : s.integer_list("inputs")) {
    if (node < 0 || node > base::narrow<base::i64>(number))
      throw Error(ExitCode::data, "it reads node " + std::to_string(node),
                  "0 is the row and i + 1 the output of stage i; a stage reads what comes before it");
    nodes.push_back(base::narrow<u64>(node));
  }
  return nodes;
}

/// Combinations are stages named by what they do; the others have readers.
model::Stage read_stage(Section& s) {
  const std::string kind = s.text("kind");
  for (const auto& [name, combination] : combine_names)
    if (name == kind) return model::Combine{combination};
  return value_of(stage_readers, kind, "stage kind")(s);
}

void read_stages(Section stages, model::Model& model) {
  bool graph = false;
  for (auto& section : stages.numbered_children()) {
    const u64 number = model.stages.size();
    try {
      graph = graph || section.has_attribute("inputs");
      model.inputs.push_back(read_inputs(section, number));
      model.stages.push_back(read_stage(section));
    } catch (const Error& e) {
      throw e.in("stage " + std::to_string(number));
    }
    section.finish();
  }
  if (!graph) model.inputs.clear();
}

model::Head read_head(Section s) {
  model::Head head;
  head.kind = value_of(head_names, s.text("kind"), "head kind");
  head.link = value_of(link_names, s.text("link", "none"), "link");
  head.decision_ovr = s.flag("decision_ovr");
  head.label_by_probability = s.flag("label_by_probability");
  if (head.kind == model::HeadKind::values) {
    if (s.has_link("target_names")) head.target_names = s.strings("target_names");
  } else {
    head.classes = s.labels("classes");
  }
  if (head.link == model::Link::platt) {
    head.prob_a = s.vector("prob_a");
    head.prob_b = s.vector("prob_b");
  }
  s.finish();
  return head;
}

model::GoldenRows read_golden(Section s) {
  model::GoldenRows golden;
  golden.rows = s.matrix("rows");
  if (s.has_link("prediction")) golden.prediction = s.matrix("prediction");
  if (s.has_link("decision")) golden.decision = s.matrix("decision");
  if (s.has_link("probability")) golden.probability = s.matrix("probability");
  if (s.has_link("label_codes")) golden.label_codes = s.integers("label_codes");
  s.finish();
  return golden;
}

model::FeatureReference read_reference(Section s) {
  model::FeatureReference reference;
  if (s.has_link("mean")) reference.mean = s.vector("mean");
  if (s.has_link("stddev")) reference.stddev = s.vector("stddev");
  if (s.has_link("minimum")) reference.minimum = s.vector("minimum");
  if (s.has_link("maximum")) reference.maximum = s.vector("maximum");
  s.finish();
  return reference;
}

void check_version(Section& root) {
  if (!root.has_attribute("format"))
    throw Error(
        ExitCode::data, "an HDF5 file, but not a model of ours (the root has no attribute 'format')", "",
        "scikit-learn models become one by scripts/export_sklearn.py; docs/model-format.md shows how to write one");
  const std::string name = root.text("format");
  if (name != format_name)
    throw Error(ExitCode::data, "the file's format is " + shown(name), std::string("expected '") + format_name + "'");
  const base::i64 version = root.integer("format_version");
  if (version < 1 || version > format_version)
    throw Error(ExitCode::data, "the model has format version " + std::to_string(version),
                "this program reads up to " + std::to_string(format_version),
                "use a newer h5score or export the model again");
}

model::Model read_model(const h5::Handle& file, u64 file_bytes) {
  Budget budget{.file_bytes = file_bytes};
  Section root(h5::open_group(file, "/"), "", budget);
  check_version(root);
  model::Model model;
  model.n_features = count(root, "n_features");
  model.precision = value_of(precision_names, root.text("precision", "float64"), "precision");
  model.origin = {.library = root.text("library", ""), .version = root.text("library_version", ""), .format = {}};
  if (root.has_attribute("total_count")) model.total_count = root.number("total_count");
  read_stages(root.child("stages"), model);
  model.head = read_head(root.child("head"));
  if (root.has_link("feature_names")) model.feature_names = root.strings("feature_names");
  if (root.has_link("input_shape")) model.input_shape = counts(root, "input_shape");
  if (root.has_link("reference")) model.reference = read_reference(root.child("reference"));
  if (root.has_link("golden")) model.golden = read_golden(root.child("golden"));
  root.finish();
  return model;
}

}  // namespace

bool recognise(const std::string& /*path*/, base::ByteView head) {
  constexpr std::string_view signature = "\x89HDF\r\n\x1a\n";
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  // A user block moves the superblock to 512, 1024, 2048, ...
  for (std::size_t at = 0; at < text.size(); at = at == 0 ? 512 : 2 * at)
    if (text.substr(at).starts_with(signature)) return true;
  return false;
}

bool is_marked(const std::string& path) {
  const h5::Handle file = h5::open_file(path);
  try {
    const h5::Handle root = h5::open_group(file, "/");
    if (!h5::has_attribute(root, "format")) return false;
    return h5::read_string_attribute(root, "format") == format_name;
  } catch (const Error&) {
    return false;  // somebody else's attribute of that name that is not even text, or a file too damaged to tell
  }
}

model::Model load(const std::string& path) {
  const h5::Handle file = h5::open_file(path);
  try {
    return read_model(file, base::narrow<u64>(std::filesystem::file_size(path)));
  } catch (const Error& e) {
    throw e.in(path);
  }
}

}  // namespace h5score::format::native
