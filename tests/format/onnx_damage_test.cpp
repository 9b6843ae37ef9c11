// Damaged ONNX files end in Error(data) or in a model, whatever their bytes: cut off at every length, with bits turned.
#include "h5score/base/error.hpp"
#include "h5score/format/format.hpp"

#include "support.hpp"

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace h5score;
using format::TemporaryFolder;
namespace pb = ::onnx;

void add_tensor(pb::GraphProto& graph, const std::string& name, const std::vector<std::int64_t>& dims) {
  auto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(pb::TensorProto::FLOAT);
  std::vector<float> values(1);
  for (const auto extent : dims) {
    tensor.add_dims(extent);
    values.resize(values.size() * static_cast<std::size_t>(extent), 0.25F);
  }
  std::string raw(values.size() * sizeof(float), '\0');
  std::memcpy(raw.data(), values.data(), raw.size());
  tensor.set_raw_data(raw);
}

void add_shape(pb::GraphProto& graph, const std::string& name, const std::vector<std::int64_t>& extents) {
  auto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(pb::TensorProto::INT64);
  tensor.add_dims(static_cast<std::int64_t>(extents.size()));
  for (const auto extent : extents) tensor.add_int64_data(extent);
}

pb::NodeProto& add_node(pb::GraphProto& graph, const std::string& op, const std::vector<std::string>& inputs,
                        const std::string& output) {
  auto& node = *graph.add_node();
  node.set_op_type(op);
  for (const auto& input : inputs) node.add_input(input);
  node.add_output(output);
  return node;
}

void add_integer(pb::NodeProto& node, const std::string& name, std::int64_t value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(pb::AttributeProto::INT);
  attribute.set_i(value);
}

// A network with most kinds of operators: shapes, slices, an expansion, a convolution, a softmax.
std::string small_model() {
  pb::ModelProto model;
  model.set_ir_version(8);
  auto& graph = *model.mutable_graph();
  auto& input = *graph.add_input();
  input.set_name("x");
  auto& type = *input.mutable_type()->mutable_tensor_type();
  type.set_elem_type(pb::TensorProto::FLOAT);
  type.mutable_shape()->add_dim()->set_dim_param("n");
  type.mutable_shape()->add_dim()->set_dim_value(6);
  add_shape(graph, "to", {-1, 2, 1, 3});
  add_shape(graph, "begin", {1});
  add_shape(graph, "end", {3});
  add_shape(graph, "axis", {3});
  add_shape(graph, "wide", {1, 4, 1, 2});
  add_tensor(graph, "kernel", {4, 2, 1, 1});
  add_tensor(graph, "w", {8, 3});
  add_tensor(graph, "b", {3});
  add_node(graph, "Reshape", {"x", "to"}, "r");
  add_node(graph, "Slice", {"r", "begin", "end", "axis"}, "s");
  add_node(graph, "Conv", {"s", "kernel"}, "c");
  add_node(graph, "Expand", {"c", "wide"}, "e");
  add_node(graph, "Relu", {"e"}, "a");
  add_integer(add_node(graph, "Flatten", {"a"}, "f"), "axis", 1);
  add_integer(add_node(graph, "Gemm", {"f", "w", "b"}, "g"), "transB", 0);
  add_integer(add_node(graph, "Softmax", {"g"}, "y"), "axis", -1);
  graph.add_output()->set_name("y");
  auto& opset = *model.add_opset_import();
  opset.set_domain("");
  opset.set_version(13);
  return model.SerializeAsString();
}

class OnnxDamage : public testing::Test {
 protected:
  TemporaryFolder folder_;  // tests run side by side
  std::string path_ = folder_.file("damaged.onnx");
  std::string bytes_ = small_model();

  // True where it loads; anything but Error(data) fails the test.
  bool loads(const std::string& bytes) {
    folder_.write("damaged.onnx", bytes);
    try {
      static_cast<void>(format::load_model(path_));
      return true;
    } catch (const base::Error& e) {
      EXPECT_EQ(e.code(), base::ExitCode::data) << e.what();
      EXPECT_NE(std::string(e.what()).find(path_), std::string::npos) << e.what();
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << e.what();
      return false;
    }
  }
};

TEST_F(OnnxDamage, TheModelItselfLoads) {
  folder_.write("damaged.onnx", bytes_);
  const model::Model model = format::load_model(path_);
  EXPECT_EQ(model.n_features, 6U);
  EXPECT_EQ(model.head.kind, model::HeadKind::multiclass);
}

TEST_F(OnnxDamage, CutOffAtEveryLength) {
  ASSERT_GE(bytes_.size(), 400U);
  for (std::size_t length = 0; length < bytes_.size(); ++length)
    EXPECT_FALSE(loads(bytes_.substr(0, length))) << length << " bytes";
}

TEST_F(OnnxDamage, TurnedBits) {
  std::mt19937 random(5);
  std::size_t refused = 0;
  for (int i = 0; i < 1000; ++i) {
    std::string damaged = bytes_;
    const std::size_t bits = 1 + random() % 3;
    for (std::size_t k = 0; k < bits; ++k) {
      char& byte = damaged[random() % damaged.size()];
      byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1U << (random() % 8)));
    }
    if (!loads(damaged)) ++refused;
  }
  EXPECT_GT(refused, 250U);
}

TEST_F(OnnxDamage, LargeNumbersInPlaceOfSmallOnes) {
  pb::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(bytes_));
  for (const std::int64_t value : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 31, std::int64_t{1} << 62,
                                   std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()})
    for (int tensor = 0; tensor < 5; ++tensor)
      for (int entry = 0; entry < model.graph().initializer(tensor).int64_data_size(); ++entry) {
        pb::ModelProto changed = model;
        changed.mutable_graph()->mutable_initializer(tensor)->set_int64_data(entry, value);
        static_cast<void>(loads(changed.SerializeAsString()));
        changed = model;
        changed.mutable_graph()->mutable_initializer(tensor)->set_dims(0, value);
        EXPECT_FALSE(loads(changed.SerializeAsString()));
      }
}

}  // namespace
