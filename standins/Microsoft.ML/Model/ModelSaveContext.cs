using System.Text;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

/// <summary>Where one model of an archive is saved: its own stream with a header, further streams beside it, models within it.</summary>
public sealed class ModelSaveContext : IDisposable
{
    internal readonly RepositoryWriter Repository;
    internal readonly string Directory;
    internal readonly BinaryWriter Writer;
    internal ModelHeader Header;

    private readonly List<string> _strings = [];

    internal ModelSaveContext(RepositoryWriter rep, string dir, string name)
    {
        Repository = rep;
        Directory = dir;
        Writer = new BinaryWriter(rep.CreateEntry(dir, name), Encoding.UTF8, leaveOpen: true);
        Writer.Write(new byte[ModelHeader.Size]);
    }

    internal void SetVersionInfo(VersionInfo ver) => Header.SetVersionInfo(ver);

    internal void SaveBinaryStream(string name, Action<BinaryWriter> action)
    {
        Contracts.CheckNonEmpty(name, nameof(name));
        Contracts.CheckValue(action, nameof(action));
        using BinaryWriter writer = new(Repository.CreateEntry(Directory, name), Encoding.UTF8, leaveOpen: true);
        action(writer);
    }

    internal void SaveString(string str)
    {
        Contracts.CheckValue(str, nameof(str));
        if (!_strings.Contains(str))
            _strings.Add(str);
        Writer.Write(_strings.IndexOf(str));
    }

    internal void SaveModel(ICanSaveModel value, string name) => SaveModel(Repository, value, Path.Combine(Directory ?? "", name));

    internal static void SaveModel(RepositoryWriter rep, ICanSaveModel value, string path)
    {
        if (value == null)
            return;
        using ModelSaveContext ctx = new(rep, path, ModelLoadContext.ModelStreamName);
        value.Save(ctx);
        Contracts.Check(ctx.Header.ModelSignature != 0, "ModelSignature not specified!");
        ctx.Header.Write(ctx.Writer, 0, ctx._strings);
    }

    public void Dispose() => Writer.Dispose();
}
