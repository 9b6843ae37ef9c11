# Install rules: the program, the module libraries with their headers, what find_package(h5score) reads, and the job files.
include(CMakePackageConfigHelpers)
set(H5SCORE_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/h5score)
set(H5SCORE_SHARE_DIR ${CMAKE_INSTALL_DATADIR}/h5score)

get_property(modules GLOBAL PROPERTY H5SCORE_MODULES)
install(TARGETS ${modules} EXPORT h5scoreTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT h5scoreTargets NAMESPACE h5score:: DESTINATION ${H5SCORE_CMAKE_DIR})

# The headers that show <hdf5.h> stay at home: users of the libraries see no third-party header at all.
install(DIRECTORY include/h5score DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp"
  PATTERN "h5/handle.hpp" EXCLUDE PATTERN "h5/io.hpp" EXCLUDE PATTERN "h5/memory_file.hpp" EXCLUDE)

configure_package_config_file(cmake/h5scoreConfig.cmake.in h5scoreConfig.cmake INSTALL_DESTINATION ${H5SCORE_CMAKE_DIR})
write_basic_package_version_file(h5scoreConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/h5scoreConfig.cmake ${PROJECT_BINARY_DIR}/h5scoreConfigVersion.cmake
  cmake/H5scoreThirdParty.cmake DESTINATION ${H5SCORE_CMAKE_DIR})

install(FILES LICENSE DESTINATION ${H5SCORE_SHARE_DIR})
install(PROGRAMS jobs/score.sbatch jobs/score-requeue.sbatch jobs/score-array.sbatch jobs/score.pbs
  DESTINATION ${H5SCORE_SHARE_DIR}/jobs)
