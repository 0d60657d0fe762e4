using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>Shares the rows of a matrix among the threads that the calling one may use.</summary>
internal static class RowParts
{
    // Numbers below which a second thread costs more than it brings.
    private const long LeastNumbers = 1 << 16;

    /// <summary>Visits all rows, some at a time. Which are together depends on their length alone, never on the number of threads.</summary>
    /// <param name="rows">How many there are.</param>
    /// <param name="columns">Their length.</param>
    /// <param name="most">The most that are visited together.</param>
    /// <param name="visit">Receives the number of a part, its first row and the number of its rows.</param>
    public static void ForEach(long rows, long columns, int most, Action<int, int, int> visit)
    {
        int parts = Count(rows, most), threads = rows * columns < LeastNumbers ? 1 : get_num_threads();    // of the calling thread, a worker's share
        if (threads == 1)
        {
            for (int part = 0; part < parts; part++)
                Visit(part);
        }
        else
        {
            Parallel.For(0, parts, new ParallelOptions { MaxDegreeOfParallelism = threads }, Visit);
        }

        void Visit(int part) => visit(part, part * most, (int)Math.Min(most, rows - (long)part * most));
    }

    /// <summary>Counts the parts.</summary>
    /// <param name="rows">How many rows there are.</param>
    /// <param name="most">The most that are visited together.</param>
    public static int Count(long rows, int most) => (int)((rows + most - 1) / most);
}
