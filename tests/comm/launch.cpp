// Launcher detection from the variables that each launcher was seen to set, and the serial communicator.
#include "h5score/comm/launch.hpp"

#include "h5score/base/error.hpp"
#include "h5score/comm/failure.hpp"
#include "h5score/comm/serial.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

namespace h5score::comm {
namespace {

using testing::HasSubstr;

class LaunchTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "PMI_SIZE", "PMI_RANK", "PMIX_RANK",
                             "MV2_COMM_WORLD_SIZE", "JSM_NAMESPACE_SIZE", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_ID",
                             "SLURM_PROCID", "SLURM_NTASKS", "MPI_LOCALNRANKS", "MPI_LOCALRANKID"})
      ASSERT_EQ(unsetenv(name), 0);
  }
  static Launch with(const std::map<std::string, std::string>& variables) {
    for (const auto& [name, value] : variables) EXPECT_EQ(setenv(name.c_str(), value.c_str(), 1), 0);
    return detect_launch();
  }
};

TEST_F(LaunchTest, NobodyLaunchedAPlainProcess) {
  EXPECT_FALSE(detect_launch().under_launcher);
  EXPECT_FALSE(detect_launch().needs_mpi());
}

TEST_F(LaunchTest, ABatchScriptOrSallocIsNoLaunch) {
  // As Slurm 22.05 sets them in a batch script.
  EXPECT_FALSE(with({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "64"}}).under_launcher);
  // A leftover count without the step it belongs to.
  EXPECT_FALSE(with({{"SLURM_STEP_NUM_TASKS", "64"}}).under_launcher);
}

TEST_F(LaunchTest, SrunIsALaunchWhateverItsMpi) {
  const Launch launch = with({{"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "64"}, {"SLURM_PROCID", "5"}});
  EXPECT_TRUE(launch.needs_mpi());
  EXPECT_EQ(launch.expected_size, 64U);
  EXPECT_EQ(launch.rank, 5U);
  EXPECT_EQ(launch.variable, "SLURM_STEP_NUM_TASKS");
}

TEST_F(LaunchTest, AStepOfOneTaskNeedsNoMpi) {
  // The shell of an interactive salloc, or srun -n 1.
  EXPECT_FALSE(with({{"SLURM_STEP_ID", "4294967290"}, {"SLURM_STEP_NUM_TASKS", "1"}}).needs_mpi());
}

TEST_F(LaunchTest, MpirunInsideAStepCounts) {
  const Launch launch = with({{"SLURM_STEP_ID", "0"},
                              {"SLURM_STEP_NUM_TASKS", "1"},
                              {"SLURM_PROCID", "0"},
                              {"OMPI_COMM_WORLD_SIZE", "4"},
                              {"OMPI_COMM_WORLD_RANK", "3"}});
  EXPECT_EQ(launch.expected_size, 4U);
  EXPECT_EQ(launch.rank, 3U);
  EXPECT_EQ(launch.variable, "OMPI_COMM_WORLD_SIZE");
}

TEST_F(LaunchTest, HydraAndPmixAreLaunchers) {
  EXPECT_EQ(with({{"PMIX_RANK", "2"}}).rank, 2U);
  EXPECT_TRUE(detect_launch().needs_mpi());
  const Launch launch = with({{"PMI_SIZE", "3"}, {"PMI_RANK", "1"}});
  EXPECT_EQ(launch.expected_size, 3U);
  EXPECT_EQ(launch.variable, "PMI_SIZE");
}

TEST_F(LaunchTest, NonsenseIsIgnored) {
  EXPECT_FALSE(with({{"OMPI_COMM_WORLD_SIZE", "many"}, {"PMI_SIZE", ""}, {"PMIX_RANK", "-1"}}).under_launcher);
}

TEST_F(LaunchTest, SeveralTasksOfWhichMpiSeesOneAreAnErrorThatNamesTheFix) {
  const Launch launch = with({{"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "64"}});
  EXPECT_NO_THROW(check_launch(launch, 64));
  EXPECT_NO_THROW(check_launch({}, 1));
  try {
    check_launch(launch, 1);
    ADD_FAILURE() << "no error";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::usage);
    EXPECT_THAT(error.what(), HasSubstr("64 tasks"));
    EXPECT_THAT(error.what(), HasSubstr("SLURM_STEP_NUM_TASKS=64"));
    EXPECT_THAT(error.what(), HasSubstr("1 rank"));
    EXPECT_THAT(error.what(), HasSubstr("srun --mpi=pmix"));
    EXPECT_THAT(error.what(), HasSubstr("mpirun"));
  }
}

TEST_F(LaunchTest, OpenMpiUnderAnSrunWithoutPmixIsAnErrorBeforeMpiStarts) {
  const Launch launch = with({{"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "64"}, {"SLURM_PROCID", "1"}});
  EXPECT_NO_THROW(check_launcher(launch, "MPICH Version: 4.0.2"));
  try {
    check_launcher(launch, "Open MPI v4.1.4");
    ADD_FAILURE() << "no error";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::usage);
    EXPECT_THAT(error.what(), HasSubstr("SLURM_STEP_NUM_TASKS=64"));
    EXPECT_THAT(error.what(), HasSubstr("srun --mpi=pmix"));
  }
  EXPECT_EQ(setenv("PMIX_RANK", "1", 1), 0);
  EXPECT_NO_THROW(check_launcher(detect_launch(), "Open MPI v4.1.4"));
}

TEST(Failure, KeepsCodeAndText) {
  const base::Bytes message = encode_failure({base::ExitCode::no_input, "a.h5: not found"});
  try {
    throw_failure(12, message);
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::no_input);
    EXPECT_STREQ(error.what(), "rank 12: a.h5: not found");
  }
  EXPECT_THROW(throw_failure(1, base::ByteView(message).first(3)), base::Error);
}

TEST(SerialCommunicator, IsAWorldOfOne) {
  SerialCommunicator comm;
  EXPECT_TRUE(comm.root());
  EXPECT_EQ(comm.size(), 1U);
  EXPECT_EQ(comm.all_max(7), 7U);
  base::Bytes data{std::byte{1}, std::byte{2}};
  comm.broadcast(data);
  EXPECT_EQ(comm.gather(data), std::vector<base::Bytes>{data});
  const std::vector<u64> parts{2};
  base::Bytes mine(2);
  EXPECT_TRUE(comm.scatter(data, parts, mine)->test());
  EXPECT_EQ(mine, data);
  base::Bytes back(2);
  EXPECT_TRUE(comm.gather(mine, back, parts)->test());
  EXPECT_EQ(back, data);
  EXPECT_EQ(comm.probe(), std::nullopt);
}

TEST(SerialCommunicator, HasNobodyToTalkTo) {
  SerialCommunicator comm;
  base::Bytes data(3);
  EXPECT_THROW(comm.send(data, 1, Tag::control), base::Error);
  EXPECT_THROW(comm.receive(data, 1, Tag::control), base::Error);
  const std::vector<u64> parts{2};
  EXPECT_THROW(comm.scatter(data, parts, data), base::Error);
}

}  // namespace
}  // namespace h5score::comm
