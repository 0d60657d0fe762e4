using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;

namespace MLNetExtension.Training.Ranks.Mpi;

/// <summary>Finds and loads the MPI that this process is to use.</summary>
internal static class MpiLibrary
{
    /// <summary>The environment variable that names a library: a file, or a name that the system's loader knows.</summary>
    public const string Variable = "MLNETEXTENSION_MPI_LIBRARY";

    // Open MPI 4 and 5; MPICH as Debian and as its makers call it, Intel MPI; the MPI-5 ABI.
    private static readonly string[] OpenMpi = ["libmpi.so.40"], Mpich = ["libmpich.so.12", "libmpi.so.12"], Standard = ["libmpi_abi.so.0"];

    /// <summary>Loads the library.</summary>
    /// <returns>Its name and its table.</returns>
    /// <exception cref="InvalidOperationException">There is none; the message says what to install.</exception>
    public static (string Name, MpiHandles Handles) Load()
    {
        // UCX, which Open MPI and MPICH may bring, takes over SIGSEGV otherwise; .NET needs it to make a NullReferenceException.
        if (!OperatingSystem.IsWindows())
            NativeMpi.SetEnvironment("UCX_ERROR_SIGNALS", "", 0);
        (string name, nint library) = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } given
            ? Find([given], $"The MPI library '{given}', which {Variable} names, cannot be loaded.")
            : Find(Candidates(), NotFound(Candidates()));
        MpiHandles handles = MpiHandles.Of(library, name);
        NativeLibrary.SetDllImportResolver(typeof(NativeMpi).Assembly, (string wanted, Assembly _, DllImportSearchPath? _) => wanted == NativeMpi.Name ? library : 0);
        return (name, handles);
    }

    /// <summary>Loads the first of some libraries that is there.</summary>
    /// <exception cref="InvalidOperationException">None is there.</exception>
    internal static (string Name, nint Library) Find(IReadOnlyList<string> names, string error)
    {
        foreach (string name in names)
        {
            if (NativeLibrary.TryLoad(name, out nint library))
                return (name, library);
        }
        throw new InvalidOperationException(error);
    }

    /// <summary>Says that there is no MPI, and what to do.</summary>
    internal static string NotFound(IEnumerable<string> names) =>
        $"There is no MPI on this machine, or it cannot be loaded: none of {string.Join(", ", names)}. Install Open MPI (Debian, Ubuntu: apt-get install openmpi-bin) or MPICH, or name the library in {Variable}.";

    /// <summary>Says what is wrong where a launcher has started more processes than know of one another, or others: each would train by itself.</summary>
    /// <param name="size">Processes that the library knows of.</param>
    /// <param name="name">The library's name.</param>
    /// <param name="mpi">The MPI that it is of.</param>
    /// <returns>Null where nothing is.</returns>
    public static string? FindForeignLauncher(int size, string name, string mpi)
    {
        if ((ReadNumber("OMPI_COMM_WORLD_SIZE") ?? ReadNumber("PMI_SIZE")) is { } launched)
        {
            return launched == size ? null
                : $"The launcher started {launched} processes, but the library {name} ({mpi}) knows of {size}: they belong to different MPIs. Start with the mpirun of {mpi}, or name the launcher's library in {Variable}.";
        }
        // Of srun's step. SLURM_NTASKS and SLURM_PROCID are set in a batch script as well, which is one process.
        return size == 1 && ReadNumber("SLURM_STEP_NUM_TASKS") is > 1 and { } tasks
            ? $"srun started {tasks} processes, but the library {name} ({mpi}) knows of 1: give srun the type of this MPI, --mpi=pmix for Open MPI or --mpi=pmi2 for MPICH (srun --mpi=list has all), or name the library of srun's type in {Variable}."
            : null;
    }

    // First the one whose launcher has started this process.
    private static string[] Candidates() =>
        ReadNumber("OMPI_COMM_WORLD_SIZE") is null && ReadNumber("PMI_SIZE") is not null ? [.. Mpich, .. Standard, .. OpenMpi] : [.. OpenMpi, .. Mpich, .. Standard];

    private static int? ReadNumber(string variable) => int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out int number) ? number : null;
}
