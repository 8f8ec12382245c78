/** Version of the package, as manifests name their maker; a test keeps it equal to package.json. */
export const VERSION = '0.1.0'
