using System.IO.Compression;
using System.Reflection;
using System.Runtime.CompilerServices;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace MLNetExtension.MLNet.Archive;

/// <summary>The only place that uses internal members of ML.NET: to create a column of a schema shape, to write and read entries of its model archive, and to ask for a context's seed.</summary>
/// <remarks>ML.NET offers components of other assemblies no public way to do so (dotnet/machinelearning #3243, #4911, #6839). What is
/// used here is unchanged since 1.0; where a later version changes it, these members throw <see cref="MissingMemberException"/>.</remarks>
internal static class ModelArchiveBridge
{
    // Eight characters, at the head of the component's Model.key entry.
    private const string ModelSignature = "CAUSALLM";

    private const BindingFlags Instance = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DoNotWrapExceptions;

    private static readonly ConditionalWeakTable<ComponentCatalog, HashSet<string>> Registered = [];

    /// <summary>Creates a column of a <see cref="SchemaShape"/>.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Constructor)]
    public static extern SchemaShape.Column Column(string name, SchemaShape.Column.VectorKind kind, DataViewType itemType, bool isKey, SchemaShape? annotations);

    /// <summary>Writes an entry beside the component's own, in its folder of the archive, straight into the archive.</summary>
    /// <remarks>ML.NET itself writes each entry to the system's temporary folder first, and always compresses it.</remarks>
    /// <param name="context">The argument of <see cref="ICanSaveModel.Save"/>.</param>
    /// <param name="name">The entry's name.</param>
    /// <param name="compression">How it is packed; ML.NET reads entries of any kind.</param>
    /// <param name="write">Writes its content.</param>
    public static void WriteEntry(ModelSaveContext context, string name, CompressionLevel compression, Action<Stream> write)
    {
        (object repository, string folder) = FindPlace(context);
        // An archive that is being written has one entry open at a time: first come those that ML.NET has finished and holds back.
        FindMethod(repository.GetType(), "Flush").Invoke(repository, Instance, null, null, null);
        var archive = (ZipArchive)FindField(repository.GetType(), "_archive").GetValue(repository)!;
        using Stream stream = archive.CreateEntry(Path.Combine(folder, name).Replace('\\', '/'), compression).Open();
        write(stream);
    }

    /// <summary>Records in the archive which loader reads this component.</summary>
    /// <param name="context">The argument of <see cref="ICanSaveModel.Save"/>.</param>
    /// <param name="loaderSignature">The name under which <see cref="RegisterLoader"/> registered the loader.</param>
    /// <param name="version">The version of what is written, from 1.</param>
    public static void SetLoader(ModelSaveContext context, string loaderSignature, int version)
    {
        // By the assembly's simple name: with a version in it, an older library could not even report that the model is too new.
        string assembly = typeof(ModelArchiveBridge).Assembly.GetName().Name!;
        object info = Create("Microsoft.ML.VersionInfo", [ModelSignature, (uint)version, (uint)version, 1u, assembly, loaderSignature, null]);
        FindMethod(typeof(ModelSaveContext), "SetVersionInfo").Invoke(context, Instance, null, [info], null);
    }

    /// <summary>Registers the loader for a loader signature in an environment; registering it again has no effect.</summary>
    /// <param name="environment">The environment that loads.</param>
    /// <param name="loaderSignature">The name that <see cref="SetLoader"/> wrote.</param>
    /// <param name="create">A static method taking the environment and ML.NET's load context.</param>
    public static void RegisterLoader(IHostEnvironment environment, string loaderSignature, Func<IHostEnvironment, object, ITransformer> create)
    {
        var registered = Registered.GetOrCreateValue(environment.ComponentCatalog);
        lock (registered)
        {
            if (registered.Contains(loaderSignature))
                return;
            string[] loadNames = [loaderSignature];
            object attribute = Create("Microsoft.ML.LoadableClassAttribute",
                [typeof(ITransformer), create.Method.DeclaringType, null, FindType("Microsoft.ML.SignatureLoadModel"), loaderSignature, loadNames]);
            object loadable = Create("Microsoft.ML.Runtime.ComponentCatalog+LoadableClassInfo", [attribute, null, null, new DirectMethod(create.Method), true]);
            FindMethod(typeof(ComponentCatalog), "AddClass").Invoke(environment.ComponentCatalog, Instance, null, [loadable, loadNames, true], null);
            UnwrapChains(environment.ComponentCatalog);
            registered.Add(loaderSignature);
        }
    }

    /// <summary>Returns the seed that an environment was created with; null where it has none and draws at random.</summary>
    public static int? SeedOf(IHostEnvironment environment) =>
        (int?)FindMethod(FindType("Microsoft.ML.Runtime.IHostEnvironmentInternal"), "get_Seed").Invoke(environment, Instance, null, null, null);

    /// <summary>Finds an entry in the component's folder of the archive, which can be read straight from there: ML.NET itself unpacks an entry to the system's temporary folder first.</summary>
    /// <param name="loadContext">The load context that ML.NET passes to the loader.</param>
    /// <param name="name">The entry's name.</param>
    /// <returns>The entry, one of which can be open at a time; null where the archive has none of that name.</returns>
    public static ZipArchiveEntry? FindEntry(object loadContext, string name)
    {
        (object repository, string folder) = FindPlace(loadContext);
        string path = Path.Combine(folder, name);
        var entries = (Dictionary<string, ZipArchiveEntry>)FindField(repository.GetType(), "_entries").GetValue(repository)!;
        // Archives have one separator or the other.
        return entries.FirstOrDefault(entry => entry.Key.Replace('\\', '/') == path.Replace('\\', '/')).Value;
    }

    // The archive and the component's folder in it, of a load or a save context.
    private static (object Repository, string Folder) FindPlace(object context) =>
        (FindField(context.GetType(), "Repository").GetValue(context)!, (string?)FindField(context.GetType(), "Directory").GetValue(context) ?? "");

    // A pipeline is a chain, whose own loader would wrap what ours throws. In a version of ML.NET where this is not found, it does: no more depends on it.
    private static void UnwrapChains(ComponentCatalog catalog)
    {
        catalog.RegisterAssembly(typeof(TransformerChain<>).Assembly, throwOnError: false);
        MethodInfo? find = typeof(ComponentCatalog).GetMethod("GetLoadableClassInfo", Instance, [typeof(string), typeof(Type)]);
        object? chain = find?.Invoke(catalog, Instance, null, ["TransformerChain", FindType("Microsoft.ML.SignatureLoadModel")], null);
        FieldInfo? create = chain?.GetType().GetField("<CreateMethod>k__BackingField", Instance);
        if (create?.GetValue(chain) is MethodInfo method and not DirectMethod)
            create.SetValue(chain, new DirectMethod(method));
    }

    private static object Create(string type, object?[] arguments)
    {
        var constructor = FindType(type).GetConstructors(Instance).FirstOrDefault(candidate => Accepts(candidate.GetParameters(), arguments))
            ?? throw new MissingMethodException(type, ".ctor");
        return constructor.Invoke(Instance, null, arguments, null);
    }

    private static bool Accepts(ParameterInfo[] parameters, object?[] arguments) =>
        parameters.Length == arguments.Length && parameters.Zip(arguments, Accepts).All(accepts => accepts);

    private static bool Accepts(ParameterInfo parameter, object? argument) =>
        argument is null ? !parameter.ParameterType.IsValueType : parameter.ParameterType.IsInstanceOfType(argument);

    private static MethodInfo FindMethod(Type type, string method) => type.GetMethod(method, Instance) ?? throw new MissingMethodException(type.FullName, method);

    private static FieldInfo FindField(Type type, string field) => type.GetField(field, Instance) ?? throw new MissingFieldException(type.FullName, field);

    private static Type FindType(string type) =>
        typeof(ComponentCatalog).Assembly.GetType(type) ?? throw new TypeLoadException($"This version of ML.NET has no type {type}, which MLNetExtension needs.");
}
