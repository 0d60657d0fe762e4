using System.Reflection;
using System.Runtime.CompilerServices;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace MLNetExtension.Tests.Contracts.MicrosoftML;

/// <summary>What an outside assembly reaches of ML.NET's model archive by reflection: if this works on both, so does the library's own bridge.</summary>
internal static class CoreModelBridge
{
    private const BindingFlags AnyInstance = BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public;

    private static readonly Assembly _core = typeof(ComponentCatalog).Assembly;

    private static readonly Type _loadableClassAttribute = _core.GetType("Microsoft.ML.LoadableClassAttribute", throwOnError: true)!;

    private static readonly Type _loadableClassInfo = typeof(ComponentCatalog).GetNestedType("LoadableClassInfo", BindingFlags.NonPublic)!;

    [UnsafeAccessor(UnsafeAccessorKind.Constructor)]
    public static extern SchemaShape.Column ShapeColumn(string name, SchemaShape.Column.VectorKind kind, DataViewType itemType, bool isKey,
        SchemaShape? annotations);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "SaveBinaryStream")]
    public static extern void SaveBinaryStream(ModelSaveContext ctx, string name, Action<BinaryWriter> action);

    public static void SetVersionInfo(ModelSaveContext ctx, string signature, Type loader)
    {
        Type versionInfo = _core.GetType("Microsoft.ML.VersionInfo", throwOnError: true)!;
        object version = Activator.CreateInstance(versionInfo, signature, 0x00010001u, 0x00010001u, 0x00010001u, loader.Assembly.FullName, loader.Name, null)!;
        typeof(ModelSaveContext).GetMethod("SetVersionInfo", AnyInstance, [versionInfo])!.Invoke(ctx, [version]);
    }

    /// <summary>Registers a class with a static Create(IHostEnvironment, object), the second argument being the load context.</summary>
    public static void Register(ComponentCatalog catalog, Type loader)
    {
        Type signature = _core.GetType("Microsoft.ML.SignatureLoadModel", throwOnError: true)!;
        string[] names = [loader.Name];
        object attribute = _loadableClassAttribute.GetConstructor([typeof(Type), typeof(Type), typeof(Type), typeof(Type), typeof(string), typeof(string[])])!
            .Invoke([typeof(ITransformer), loader, null, signature, loader.Name, names]);
        MethodInfo create = loader.GetMethod("Create", BindingFlags.Static | BindingFlags.Public, [typeof(IHostEnvironment), typeof(object)])!;
        object info = _loadableClassInfo.GetConstructors(AnyInstance).Single().Invoke([attribute, null, null, create, true]);
        typeof(ComponentCatalog).GetMethod("AddClass", AnyInstance)!.Invoke(catalog, BindingFlags.DoNotWrapExceptions, null, [info, names, true], null);
    }

    public static bool TryLoadBinaryStream(object loadContext, string name, Action<BinaryReader> action) =>
        (bool)loadContext.GetType().GetMethod("TryLoadBinaryStream", AnyInstance)!.Invoke(loadContext, BindingFlags.DoNotWrapExceptions, null,
            [name, action], null)!;
}
