using System.Collections.Concurrent;
using static TorchSharp.torch;

namespace MLNetExtension.Training;

/// <summary>A thread on which libtorch computes without helpers of its own: two of them on two cores never wait for each other inside a kernel.</summary>
internal sealed class SingleThread : IDisposable
{
    private readonly BlockingCollection<Task> _tasks = [];
    private readonly Thread _thread;

    /// <summary>Starts the thread.</summary>
    public SingleThread()
    {
        _thread = new Thread(Work) { IsBackground = true, Name = "MLNetExtension training" };
        // The number of threads is the calling thread's own, but what threads to come begin with is the process's: that is put back.
        int threads = get_num_threads();
        _thread.Start();
        Start(() => set_num_threads(1)).GetAwaiter().GetResult();
        set_num_threads(threads);
    }

    /// <summary>Has the thread do something, after all that it was given before.</summary>
    /// <param name="action">What to do.</param>
    public Task Start(Action action)
    {
        Task task = new(action);
        _tasks.Add(task);
        return task;
    }

    /// <summary>Ends the thread, when it has done what it was given.</summary>
    public void Dispose()
    {
        _tasks.CompleteAdding();
        _thread.Join();
        _tasks.Dispose();
    }

    private void Work()
    {
        foreach (Task task in _tasks.GetConsumingEnumerable())
            task.RunSynchronously(TaskScheduler.Default);
    }
}
